"""The texts of encoded items, without what a tokenizer puts around them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ose.tasks.base import Examples

TokenIds = NDArray[np.int64]
Text = tuple[TokenIds, ...]
"""One text, or the two of a pair."""


def texts_of(
    examples: Examples, rows: torch.Tensor | slice, special_ids: Collection[int], *, is_pair: bool
) -> list[Text]:
    """The token ids of some items. Of a pair, the second text begins behind the special token after the first."""
    inputs = examples.inputs(rows)
    input_ids, mask = (inputs[name].cpu().numpy() for name in ("input_ids", "attention_mask"))
    return [_text(ids[real > 0], special_ids, is_pair) for ids, real in zip(input_ids, mask, strict=True)]


def _text(ids: NDArray[Any], special_ids: Collection[int], is_pair: bool) -> Text:
    ids = ids.astype(np.int64)
    is_special = np.isin(ids, list(special_ids))
    if not is_pair:
        return (ids[~is_special],)
    ends = np.flatnonzero(is_special[1:]) + 1
    split = int(ends[0]) if len(ends) else len(ids)
    return ids[:split][~is_special[:split]], ids[split:][~is_special[split:]]


def long_text(texts: Sequence[Text], num_tokens: int) -> Text:
    """A text, or a pair, of so many tokens, put together from others that have some."""
    parts = [np.concatenate(each) for each in zip(*texts, strict=True)]
    sizes = np.array_split(np.arange(num_tokens), len(parts))
    return tuple(np.resize(part, len(size)) if len(part) else part for part, size in zip(parts, sizes, strict=True))
