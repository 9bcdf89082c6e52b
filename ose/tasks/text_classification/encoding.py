"""Rows of a corpus to encoded items."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedTokenizerBase

from ose.data.tables import Row
from ose.tasks.text_classification.items import TextItems

_ROWS_AT_ONCE = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRows:
    """Rows as items, without their labels.

    Attributes:
        items: With queries, where the rows have them.
        share_cut: Of the rows, those that were longer than the sequence length.
    """

    items: TextItems
    share_cut: float


def encoded_rows(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, sequence_length: int, *, has_token_types: bool
) -> EncodedRows:
    """As `encode_rows`, some at a time, and count what was cut."""
    parts, num_cut = [], 0
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[first : first + _ROWS_AT_ONCE]
        parts.append(encode_rows(some, tokenizer, sequence_length, has_token_types=has_token_types))
        full = [some[index] for index in (parts[-1].lengths == sequence_length).nonzero()[:, 0].tolist()]
        num_cut += _num_longer(full, tokenizer, sequence_length)
    items = replace(TextItems.joined(parts), queries=_query_numbers(rows))
    return EncodedRows(items=items, share_cut=num_cut / len(rows))


def encode_rows(
    rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, sequence_length: int, *, has_token_types: bool
) -> TextItems:
    """Tokenise texts or pairs, without what is known of them.

    What is longer than `sequence_length` is cut at its end, of a pair the longer text first. This rule takes the place
    of whatever cutting or padding the tokenizer's own file asks for.

    Args:
        rows: All with a second text, or none.
        tokenizer: The teacher's.
        sequence_length: Tokens at most, with the special ones; all items are padded to it.
        has_token_types: Whether the model has more than one kind of token. A tokenizer that does not tell kinds apart
            by itself, for the model's users, does not do so here.
    """
    pairs = [row.text_pair for row in rows] if rows[0].text_pair is not None else None
    encoded = deepcopy(tokenizer)(  # which keeps how it was last asked to cut and pad, also when it is saved
        [row.text for row in rows],
        pairs,
        truncation="longest_first",
        padding="max_length",
        max_length=sequence_length,
        padding_side="right",
        return_attention_mask=True,
        return_token_type_ids=has_token_types and pairs is not None and "token_type_ids" in tokenizer.model_input_names,
        return_tensors="pt",
        verbose=False,
    )
    token_types = encoded.get("token_type_ids")
    return TextItems(
        input_ids=encoded["input_ids"].int(),
        lengths=encoded["attention_mask"].sum(dim=1).int(),
        token_type_ids=None if token_types is None else token_types.int(),
    )


def _query_numbers(rows: Sequence[Row]) -> torch.Tensor | None:
    """(N,): which query each row belongs to, by numbers from 0; None where the corpus does not say."""
    if rows[0].query_id is None:
        return None
    numbers: dict[str | None, int] = {}
    return torch.tensor([numbers.setdefault(row.query_id, len(numbers)) for row in rows])


def _num_longer(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, sequence_length: int) -> int:
    """How many of the rows have more tokens than that, so that `encode_rows` cuts them."""
    if not rows:
        return 0
    pairs = [row.text_pair for row in rows] if rows[0].text_pair is not None else None
    whole = deepcopy(tokenizer)([row.text for row in rows], pairs, truncation=False, padding=False, verbose=False)
    return sum(len(ids) > sequence_length for ids in whole["input_ids"])
