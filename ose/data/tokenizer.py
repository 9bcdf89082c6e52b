"""Train a byte-level BPE tokenizer with RoBERTa's special tokens."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast, RobertaTokenizerFast

_SPECIAL_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
"""In RoBERTa's order, so that the pad id is 1 as its configuration has it."""


def train_tokenizer(documents: Iterable[str], vocab_size: int, sequence_length: int) -> PreTrainedTokenizerFast:
    """Learn merges from `documents`.

    Args:
        documents: A sample is enough; some megabytes settle the merges.
        vocab_size: V, with the 256 bytes and five special tokens.
        sequence_length: Longest input of the model the tokenizer is for.
    """
    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(
        documents, vocab_size=vocab_size, min_frequency=2, special_tokens=list(_SPECIAL_TOKENS), show_progress=False
    )
    # As in RoBERTa's own tokenizer the mask swallows the space before it: " word" is one token.
    mask_token = AddedToken("<mask>", lstrip=True, special=True)
    return RobertaTokenizerFast(
        tokenizer_object=learner._tokenizer, model_max_length=sequence_length, mask_token=mask_token
    )
