"""Cut documents into sequences of their own, grouped by length, so that batches need no padding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from ose.data.packing import iter_token_ids, token_dtype

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MIN_TOKENS = 12
"""Shorter sequences, counted with the two special tokens, teach little and are left out."""

GROUP_WIDTH = 4
"""Lengths of a group lie less than this apart."""


def group_sequences(
    documents: Iterable[str], tokenizer: PreTrainedTokenizerBase, sequence_length: int, max_tokens: int
) -> tuple[np.ndarray, ...]:
    """Cut each document into one sequence or more, and put those of about one length together.

    A sequence is `<s> tokens </s>`, at most `sequence_length` long; what has fewer than MIN_TOKENS tokens, or is
    unknown or special for half, is left out. A sequence loses its last tokens, at most three, down to its group's
    shortest length: then no batch has padding, and the encoder needs no mask.

    Args:
        documents: The text.
        tokenizer: The teacher's tokenizer.
        sequence_length: Longer documents are cut into several sequences.
        max_tokens: Stop after this many tokens.

    Returns:
        An array (N, T) for each length T that occurs, ascending.

    Source:
        DistilBERT's scripts (bins of four lengths, the two filters). They pad to the longest of a batch, and merge
        what is left of the bins at an epoch's end; here that becomes smaller batches.
    """
    body = sequence_length - 2
    special, dtype = np.array(tokenizer.all_special_ids), token_dtype(tokenizer)
    groups: dict[int, list[np.ndarray]] = {}
    num_tokens = 0
    for ids in iter_token_ids(documents, tokenizer):
        if num_tokens >= max_tokens:
            break
        for start in range(0, len(ids), body):
            part = ids[start : start + body]
            length = (len(part) + 2) // GROUP_WIDTH * GROUP_WIDTH
            part = part[: length - 2]
            if length >= MIN_TOKENS and 2 * np.isin(part, special).sum() < len(part):
                row = [tokenizer.cls_token_id, *part, tokenizer.sep_token_id]
                groups.setdefault(length, []).append(np.array(row, dtype=dtype))
                num_tokens += length
    return tuple(np.stack(groups[length]) for length in sorted(groups))
