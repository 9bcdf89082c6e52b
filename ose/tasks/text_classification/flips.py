"""Flips: items whose first choice is another label than the teacher's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ose.core.measurement import Metric
from ose.tasks.text_classification.resampling import Floats, Ids, mean_metric


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFlips:
    """What a model makes of the items to which the teacher gives one label.

    Attributes:
        label: The teacher's label, its id.
        num_items: Items to which the teacher gives it.
        num_flipped: Those to which the model gives another.
        share: The flipped ones of all, with its standard error.
        most_often: The label that most of them are given instead, of equals the one with the lowest id; None if none
            is flipped.
    """

    label: int
    num_items: int
    num_flipped: int
    share: Metric
    most_often: int | None


def flips(scores: Floats, teacher_scores: Floats, groups: Ids | None = None) -> tuple[LabelFlips, ...]:
    """The flips of each label that the teacher gives any item, by its id.

    Args:
        scores: (N, L), the model's logits, one label an item.
        teacher_scores: (N, L).
        groups: (N,), equal for items that are one unit for errors.
    """
    choices, teacher_choices = scores.argmax(axis=1), teacher_scores.argmax(axis=1)
    found = []
    for label in np.unique(teacher_choices):
        rows = teacher_choices == label
        found.append(_flips_of(int(label), choices[rows], None if groups is None else groups[rows]))
    return tuple(found)


def _flips_of(label: int, choices: np.ndarray, groups: Ids | None) -> LabelFlips:
    is_flipped = choices != label
    others = np.bincount(choices[is_flipped])
    return LabelFlips(
        label=label,
        num_items=len(choices),
        num_flipped=int(is_flipped.sum()),
        share=mean_metric(is_flipped.astype(np.float64), groups),
        most_often=int(others.argmax()) if len(others) else None,
    )
