"""The batches of a whole training: a function of seed and step; texts of about one length stand together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from ose.data.epochs import BatchOrder, rows_of_step
from ose.tasks.base import StepBatches
from ose.tasks.text_classification.items import TextItems

_GROUP_WIDTH = 4
"""Lengths of a group lie less than this apart."""


def batches_of(items: TextItems, spec: BatchOrder) -> StepBatches:
    """`step_batches` of all items."""
    groups = items.lengths.numpy() // _GROUP_WIDTH
    return partial(step_batches, items, [np.flatnonzero(groups == group) for group in np.unique(groups)], spec)


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
