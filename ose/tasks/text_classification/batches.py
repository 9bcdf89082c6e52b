"""The batches of a whole training: a function of seed and step; texts of about one length stand together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from ose.data.epochs import BatchOrder, rows_of_step
from ose.tasks.base import StepBatches
from ose.tasks.text_classification.items import TextItems

_GROUP_WIDTH = 4
"""Lengths of a group lie less than this apart."""

_CHANGES = 1
"""Tells the random numbers of changes from those of other things that a seed decides."""

Change = Callable[[TextItems, np.random.Generator], TextItems]
"""Makes other texts of some of the items."""


def batches_of(items: TextItems, spec: BatchOrder, change: Change | None = None) -> StepBatches:
    """`step_batches` of all items, which are changed anew at each step if a change is given."""
    groups = items.lengths.numpy() // _GROUP_WIDTH
    same = partial(step_batches, items, [np.flatnonzero(groups == group) for group in np.unique(groups)], spec)
    return same if change is None else partial(_changed_batches, same, change, spec.seed)


def general_batches_of(text: np.ndarray, spec: BatchOrder) -> StepBatches:
    """The batches of packed sequences (N, T)."""
    return partial(_packed_batches, text, spec)


def step_batches(
    items: TextItems, groups: Sequence[np.ndarray], spec: BatchOrder, step: int
) -> list[tuple[TextItems, float]]:
    """All micro-batches of one optimiser step, in order, each with its share of the step's items.

    Args:
        items: Of the whole training part.
        groups: The rows of those of about one length.
        spec: Decides batch sizes and seed.
        step: 0 for the first.
    """
    parts: list[torch.Tensor] = []
    for group, places in rows_of_step(tuple(map(len, groups)), spec, step):
        parts += torch.from_numpy(groups[group][places]).split(spec.micro_batch_size)
    return [(items.take(part), len(part) / spec.batch_size) for part in parts]


def _changed_batches(same: StepBatches, change: Change, seed: int, step: int) -> list[tuple[TextItems, float]]:
    generator = np.random.default_rng((seed, step, _CHANGES))
    return [(change(items, generator), share) for items, share in same(step)]


def _packed_batches(text: np.ndarray, spec: BatchOrder, step: int) -> list[tuple[TextItems, float]]:
    [(_, rows)] = rows_of_step((len(text),), spec, step)
    parts = torch.from_numpy(text[rows].astype(np.int64)).split(spec.micro_batch_size)
    return [(TextItems.unpadded(part), len(part) / spec.batch_size) for part in parts]
