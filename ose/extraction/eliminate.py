"""Which layers a teacher can do without: leave out one after the other, each time the one missed least.

What a layer is worth depends on what stands beside it, and on how well the others make up for it. So each of those
left is tried: the rest is refitted as a student's layers are when it starts, and judged by the teacher's distribution.
The layers left at each size are a subset of those at the next larger one.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from transformers import PreTrainedModel

from ose.core.inheritance import InheritanceSpec
from ose.extraction.calibration import Calibration
from ose.extraction.initial import Start, initial_student
from ose.families.models import architecture_of
from ose.tasks.base import Task

_SHARE = 4
"""Layers are refitted on one quarter of the sample and judged on another: L (L + 1) / 2 refits would take a teacher of
12 layers an hour on all of it, and their order is the same."""


def elimination_ranks(task: Task, teacher: PreTrainedModel, calibration: Calibration) -> torch.Tensor:
    """(L): the round in which each layer is left out, so that the D layers of highest rank are the ones to keep.

    Args:
        task: Says how far a model is from its teacher.
        teacher: A frozen model of a family that OSE knows.
        calibration: Its own, on its device.
    """
    part = max(1, len(calibration.input_ids) // _SHARE)
    fitted, judged = calibration.sequences(0, part), calibration.sequences(len(calibration.input_ids) - part)
    expected = task.outputs(teacher, judged)

    def loss(kept: tuple[int, ...]) -> float:
        return float(task.distance(expected, task.outputs(_refitted(teacher, kept, fitted, task.rules.name), judged)))

    kept = tuple(range(teacher.config.num_hidden_layers))
    ranks = torch.zeros(len(kept))
    while len(kept) > 1:
        kept = min((tuple(layer for layer in kept if layer != left_out) for left_out in kept), key=loss)
        ranks[list(kept)] += 1
    return ranks


def _refitted(teacher: PreTrainedModel, kept: tuple[int, ...], sample: Calibration, task: str) -> PreTrainedModel:
    inheritance = InheritanceSpec(layers=kept, heads="leading", neurons="leading", hidden="leading")
    start = Start(initialization="inherit", inheritance=inheritance, seed=0, calibration=sample, task=task)
    return initial_student(teacher, replace(architecture_of(teacher), num_hidden_layers=len(kept)), start)
