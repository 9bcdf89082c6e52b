"""Teachers of a class that no family knows, as long as transformers loads it: they teach students of BERT's build.

Such students start from random weights. All that is known of the teacher itself stands in its config.json, under one of
the names that its class may have for it, and in the headers of its weights.
"""

from __future__ import annotations

import re

from ose.core.architecture import BERT

STUDENTS = BERT
"""The family of their students, in whose terms they themselves are described."""

CONFIG_NAMES = {
    "num_hidden_layers": ("num_hidden_layers", "n_layers", "num_layers", "n_layer"),
    "num_attention_heads": ("num_attention_heads", "n_heads", "num_heads", "n_head"),
    "hidden_size": ("hidden_size", "dim", "d_model", "emb_dim", "n_embd"),
    "intermediate_size": ("intermediate_size", "hidden_dim", "d_inner", "ffn_dim"),
    "vocab_size": ("vocab_size", "n_words"),
    "max_position_embeddings": ("max_position_embeddings", "n_positions", "max_seq_len"),
    "type_vocab_size": ("type_vocab_size",),
}
CONFIG_DEFAULTS = {"max_position_embeddings": 512, "type_vocab_size": 1}
OFFSET_MODEL_TYPES = frozenset(
    {
        "xlm-roberta-xl", "roberta-prelayernorm", "xmod", "data2vec-text", "longformer", "ibert", "luke", "mpnet", "esm"
    }
)  # fmt: skip

LAYER = re.compile(r"(^|\.)(layers?|albert_layers|h|attentions|ffns)\.\d+\.")
"""What the names of a layer's tensors look like."""
