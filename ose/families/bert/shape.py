"""BERT's build by numbers: what its config.json is called, what its weights must show, what its members cost.

It is that of RoBERTa, XLM-R and CamemBERT too: their classes have other names, and two more positions.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from ose.core.architecture import Architecture, EmbeddingShape, ParameterCount

CLASSES = {
    "roberta": ("RobertaForMaskedLM", "RobertaForSequenceClassification"),
    "xlm-roberta": ("XLMRobertaForMaskedLM", "XLMRobertaForSequenceClassification"),
    "camembert": ("CamembertForMaskedLM", "CamembertForSequenceClassification"),
    "bert": ("BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification"),
}

CONFIG_NAMES = {
    name: (name,)
    for name in (
        "num_hidden_layers",
        "num_attention_heads",
        "hidden_size",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "type_vocab_size",
    )
}
CONFIG_DEFAULTS = {"max_position_embeddings": 512, "type_vocab_size": 2}
OFFSET_MODEL_TYPES = frozenset({"roberta", "xlm-roberta", "camembert"})


def count_parameters(architecture: Architecture, embedding: EmbeddingShape, head: str) -> ParameterCount:
    """Closed-form parameter count; the pooler counts where a head reads it.

    Source:
        arXiv 2010.10499 gives p as a polynomial in D, H and I; the paper's count has a pooler,
        which a masked language model has no use for, so ours has none.
    """
    d, h, i = architecture.num_hidden_layers, architecture.hidden_size, architecture.intermediate_size
    rows = embedding.vocab_size + embedding.max_position_embeddings + embedding.type_vocab_size
    attention = 4 * (h * h + h)
    feed_forward = 2 * h * i + h + i
    layer_norm = 2 * h
    return ParameterCount(
        embeddings=rows * h + layer_norm,
        encoder=d * (attention + feed_forward + 2 * layer_norm),
        head=HEADS[head].parameters(h, embedding),
    )


def count_flops(architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
    """Operations of the encoder.

    Per layer and token 8 H^2 for the four projections, 4 H I for the feed-forward layer, 4 T H for attention.
    """
    h, i = architecture.hidden_size, architecture.intermediate_size
    per_token = 8 * h * h + 4 * h * i + 4 * sequence_length * h
    return batch_size * sequence_length * architecture.num_hidden_layers * per_token


def count_head_flops(architecture: Architecture, embedding: EmbeddingShape, num_positions: int, head: str) -> int:
    """Operations of a head at so many positions."""
    return num_positions * HEADS[head].flops(architecture.hidden_size, embedding)


def expected_tensors(architecture: Architecture, embedding: EmbeddingShape) -> dict[str, tuple[int, ...]]:
    """The tensors of the encoder, by the endings of their names; those that show a number of config.json come first."""
    h, i, last = architecture.hidden_size, architecture.intermediate_size, architecture.num_hidden_layers - 1
    return {
        "embeddings.word_embeddings.weight": (embedding.vocab_size, h),
        "embeddings.position_embeddings.weight": (embedding.max_position_embeddings, h),
        "embeddings.token_type_embeddings.weight": (embedding.type_vocab_size, h),
        f"{layer_prefix(last)}intermediate.dense.weight": (i, h),
        "embeddings.LayerNorm.weight": (h,),
        "embeddings.LayerNorm.bias": (h,),
        **{
            f"{layer_prefix(layer)}{part}": shape
            for layer in range(architecture.num_hidden_layers)
            for part, shape in _layer_tensors(h, i).items()
        },
    }


def _layer_tensors(h: int, i: int) -> dict[str, tuple[int, ...]]:
    square = [f"attention.{each}" for each in ("self.query", "self.key", "self.value", "output.dense")]
    matrices = {**dict.fromkeys(square, (h, h)), "intermediate.dense": (i, h), "output.dense": (h, i)}
    norms = ("attention.output.LayerNorm", "output.LayerNorm")
    return {
        **{f"{name}.weight": shape for name, shape in matrices.items()},
        **{f"{name}.bias": shape[:1] for name, shape in matrices.items()},
        **{f"{name}.{each}": (h,) for name in norms for each in ("weight", "bias")},
    }


def is_head_tensor(name: str) -> bool:
    """Whether a tensor of this name belongs to a head that one of the classes has."""
    return _HEAD_TENSOR.search(name) is not None


_HEAD_TENSOR = re.compile(
    r"(^|\.)(pooler\.dense|classifier(\.dense|\.out_proj)?"
    r"|cls\.predictions(\.transform\.(dense|LayerNorm)|\.decoder)?"
    r"|lm_head(\.dense|\.layer_norm|\.decoder)?)\.(weight|bias|gamma|beta)$"
)
"""`gamma` and `beta` are what the norms of the oldest files call their weight and bias."""


def layer_prefix(layer: int) -> str:
    """What is in the names of all tensors of a layer, counted from 0."""
    return f"encoder.layer.{layer}."


class _HeadCounts(NamedTuple):
    """Parameters, and operations at one position, of a head on a stream of width H."""

    parameters: Callable[[int, EmbeddingShape], int]
    flops: Callable[[int, EmbeddingShape], int]


def _vocabulary_parameters(h: int, embedding: EmbeddingShape) -> int:
    """A matrix, a LayerNorm and a bias: the vocabulary matrix is that of the embeddings."""
    return h * h + h + 2 * h + embedding.vocab_size


def _vocabulary_flops(h: int, embedding: EmbeddingShape) -> int:
    return 2 * h * h + 2 * h * embedding.vocab_size


def _classification_parameters(h: int, embedding: EmbeddingShape) -> int:
    """Two matrices with their biases: the first is BERT's pooler, or lies in RoBERTa's classifier."""
    return h * h + h + h * embedding.num_labels + embedding.num_labels


def _classification_flops(h: int, embedding: EmbeddingShape) -> int:
    return 2 * h * h + 2 * h * embedding.num_labels


HEADS = {
    "fill_mask": _HeadCounts(_vocabulary_parameters, _vocabulary_flops),
    "text_classification": _HeadCounts(_classification_parameters, _classification_flops),
}
"""What each task's head costs."""
