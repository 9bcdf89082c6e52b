"""In which order a training set is gone through, epoch after epoch.

DistilBERT's scripts slip here: on several GPUs every epoch has the same order, and micro-batches left over at an
epoch's end leak into the next update. Here an epoch's order comes from seed and epoch, and a step reads on into the
next epoch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np


class BatchOrder(Protocol):
    """Of a recipe, what decides its batches."""

    @property
    def batch_size(self) -> int:
        """Items a step."""

    @property
    def micro_batch_size(self) -> int:
        """Items at once at most, which decides nothing but memory and time."""

    @property
    def seed(self) -> int:
        """Decides the order."""


_TOGETHER = 16
"""Items of one length that follow one another, at most half a step's: micro-batches are full, and steps are mixed.

Nothing that a machine's memory asks for is in it, so that the order is the same on all.
"""


def rows_of_step(sizes: tuple[int, ...], spec: BatchOrder, step: int) -> list[tuple[int, np.ndarray]]:
    """Groups that a step reads from, with the rows in each.

    Args:
        sizes: Items in each group; those of a group have one length.
        spec: Batch sizes and seed.
        step: 0 for the first.
    """
    wanted = np.arange(step * spec.batch_size, (step + 1) * spec.batch_size)
    epochs, offsets = wanted // sum(sizes), wanted % sum(sizes)
    groups, rows = np.empty_like(wanted), np.empty_like(wanted)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        order = _epoch_order(sizes, min(max(1, spec.batch_size // 2), _TOGETHER), spec.seed, int(epoch))
        groups[here], rows[here] = order[:, offsets[here]]
    return [(int(group), rows[groups == group]) for group in np.unique(groups)]


@lru_cache(maxsize=2)  # a step reads from two epochs at most, unless the text is tiny
def _epoch_order(sizes: tuple[int, ...], together: int, seed: int, epoch: int) -> np.ndarray:
    """(2, N) groups and rows: every item once, another order each epoch.

    With several lengths, `together` items of one length stand in a row, so that micro-batches are full; these
    runs are shuffled.
    """
    generator = np.random.default_rng((seed, epoch))
    runs: list[np.ndarray] = []
    for group, size in enumerate(sizes):
        order = np.stack([np.full(size, group), generator.permutation(size)])
        runs += np.split(order, range(together, size, together), axis=1) if len(sizes) > 1 else [order]
    return np.concatenate([runs[index] for index in generator.permutation(len(runs))], axis=1)
