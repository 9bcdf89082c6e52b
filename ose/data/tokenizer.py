"""Train a byte-level BPE tokenizer with RoBERTa's special tokens."""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast, RobertaTokenizerFast

_SPECIAL_TOKENS_BEFORE_MASK = ("<s>", "<pad>", "</s>", "<unk>")
"""In RoBERTa's order, so that the pad id is 1 as its configuration has it."""


def train_tokenizer(documents: Iterable[str], vocab_size: int, sequence_length: int) -> PreTrainedTokenizerFast:
    """Learn merges from `documents`.

    Args:
        documents: A sample is enough; some megabytes settle the merges.
        vocab_size: V, with the 256 bytes and five special tokens.
        sequence_length: Longest input of the model the tokenizer is for.
    """
    # As in RoBERTa's own tokenizer the mask swallows the space before it: " word" is one token. The learner
    # has to know, because a token that it has already learnt as plain keeps that state for good.
    mask_token = AddedToken("<mask>", lstrip=True, special=True)
    learner = ByteLevelBPETokenizer()
    learner.train_from_iterator(
        documents,
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[*_SPECIAL_TOKENS_BEFORE_MASK, mask_token],
        show_progress=False,
    )
    return RobertaTokenizerFast(
        tokenizer_object=learner._tokenizer,
        model_max_length=sequence_length,
        mask_token=mask_token,  # type: ignore[arg-type] # a string would lose what it swallows
    )
