"""Pack documents into full sequences, so that no arithmetic is spent on padding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_DOCUMENTS_PER_CALL = 512

_CHARACTERS_PER_CALL = 250_000
"""A tokenizer takes some 130 bytes for each, so a longer document is given to it in pieces."""

_ROWS_PER_BLOCK = 4096


def token_dtype(tokenizer: PreTrainedTokenizerBase) -> type[np.unsignedinteger]:
    """The smallest unsigned integer type that holds the vocabulary."""
    return np.uint16 if len(tokenizer) <= 2**16 else np.uint32


def iter_token_ids(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[list[int]]:
    """Yield each document's tokens, without special ones."""
    whole: list[int] = []
    for ids, is_last in _iter_pieces(documents, tokenizer):
        whole += ids
        if is_last:
            yield whole
            whole = []


def token_stream(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[int]:
    """Yield the documents' tokens, a separator after each document."""
    has_tokens = False
    for ids, is_last in _iter_pieces(documents, tokenizer):
        yield from ids
        has_tokens = has_tokens or bool(ids)
        if is_last and has_tokens:
            yield tokenizer.sep_token_id
            has_tokens = False


def _iter_pieces(documents: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[tuple[list[int], bool]]:
    """Tokens of each document, those of a long one piece by piece, and whether the document ends there."""
    for texts in _calls(documents):
        if len(texts) > 1 or len(texts[0]) <= _CHARACTERS_PER_CALL:
            yield from ((ids, True) for ids in _token_ids(texts, tokenizer))
        else:
            for piece in _pieces(texts[0]):
                yield from ((ids, False) for ids in _token_ids([piece], tokenizer))
            yield [], True


def _token_ids(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> list[list[int]]:
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)
    ids: list[list[int]] = encoded["input_ids"]
    return ids


def _calls(documents: Iterable[str]) -> Iterator[list[str]]:
    """Documents that a tokenizer is given together; a long one is on its own."""
    texts: list[str] = []
    room = _CHARACTERS_PER_CALL
    for document in documents:
        if texts and (len(texts) == _DOCUMENTS_PER_CALL or len(document) > room):
            yield texts
            texts, room = [], _CHARACTERS_PER_CALL
        texts.append(document)
        room -= len(document)
    if texts:
        yield texts


def _pieces(document: str) -> Iterator[str]:
    """Cut before a space, which belongs to the word behind it; where there is none, anywhere."""
    start = 0
    while len(document) - start > _CHARACTERS_PER_CALL:
        last = start + _CHARACTERS_PER_CALL
        cut = max(document.rfind(space, start + 1, last) for space in " \n\t")
        yield document[start : (last if cut < 0 else cut)]
        start = last if cut < 0 else cut
    yield document[start:]


@dataclass(slots=True)
class PackedCount:
    """What was packed.

    Attributes:
        num_kept: Sequences.
        num_dropped: Those that were left out because most of each is unknown to the vocabulary, or separators.
    """

    num_kept: int = 0
    num_dropped: int = 0


def pack_sequences(
    documents: Iterable[str],
    tokenizer: PreTrainedTokenizerBase,
    sequence_length: int,
    max_sequences: int | None = None,
    count: PackedCount | None = None,
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
        count: Counts them.

    Returns:
        Shape (N, T), the smallest unsigned integer type that holds the vocabulary.
    """
    count = count or PackedCount()
    dtype = token_dtype(tokenizer)
    body = sequence_length - 2
    special = tokenizer.all_special_ids
    stream = token_stream(documents, tokenizer)
    blocks: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    while max_sequences is None or len(blocks) * _ROWS_PER_BLOCK + len(rows) < max_sequences:
        block = np.fromiter(islice(stream, body), dtype=dtype)
        if len(block) < body:
            break
        if np.isin(block, special).sum() <= body // 2:
            ends = np.array([tokenizer.cls_token_id, tokenizer.sep_token_id], dtype=dtype)
            rows.append(np.concatenate([ends[:1], block, ends[1:]]))
            count.num_kept += 1
        else:
            count.num_dropped += 1
        if len(rows) == _ROWS_PER_BLOCK:
            blocks, rows = [*blocks, np.stack(rows)], []
    return np.concatenate([*blocks, np.array(rows, dtype=dtype).reshape(-1, sequence_length)])
