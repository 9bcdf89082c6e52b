"""Pack documents into full sequences, so that no arithmetic is spent on padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_DOCUMENTS_PER_CALL = 512


def token_dtype(tokenizer: PreTrainedTokenizerBase) -> type[np.unsignedinteger]:
    """The smallest unsigned integer type that holds the vocabulary."""
    return np.uint16 if len(tokenizer) <= 2**16 else np.uint32


def iter_token_ids(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    """Yield each document's tokens, without special ones."""
    iterator = iter(documents)
    while chunk := list(islice(iterator, _DOCUMENTS_PER_CALL)):
        encoded = tokenizer(chunk, add_special_tokens=False, return_attention_mask=False, verbose=False)
        yield from encoded["input_ids"]


def token_stream(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[int]:
    """Yield the documents' tokens, a separator after each document."""
    for ids in iter_token_ids(documents, tokenizer):
        if ids:
            yield from ids
            yield tokenizer.sep_token_id


def pack_sequences(
    documents: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    sequence_length: int,
    max_sequences: int | None = None,
) -> np.ndarray:
    """Cut the documents' token stream into sequences without padding.

    Each sequence is `<s> tokens </s>`; documents run on into the next sequence, as in
    RoBERTa's FULL-SENTENCES input (arXiv 1907.11692, section 4.2) but across documents.
    A last, incomplete sequence is dropped, and so is one that is mostly special
    tokens (separators, or characters the vocabulary does not know): it leaves too little to mask.

    Args:
        documents: The text.
        tokenizer: The teacher's tokenizer.
        sequence_length: T, counted with the two special tokens at the ends.
        max_sequences: Stop reading after this many sequences; None reads everything.

    Returns:
        Shape (N, T), the smallest unsigned integer type that holds the vocabulary.
    """
    dtype = token_dtype(tokenizer)
    body = sequence_length - 2
    special = tokenizer.all_special_ids
    stream = token_stream(documents, tokenizer)
    rows: list[np.ndarray] = []
    while max_sequences is None or len(rows) < max_sequences:
        block = np.fromiter(islice(stream, body), dtype=dtype)
        if len(block) < body:
            break
        if np.isin(block, special).sum() <= body // 2:
            ends = np.array([tokenizer.cls_token_id, tokenizer.sep_token_id], dtype=dtype)
            rows.append(np.concatenate([ends[:1], block, ends[1:]]))
    return np.stack(rows) if rows else np.empty((0, sequence_length), dtype=dtype)
