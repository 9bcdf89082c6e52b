"""Flips: items that a model gives another label than the teacher does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import LabelFlips
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.metrics import said_labels
from ose.tasks.text_classification.resampling import Floats, Ids, mean_metric


def flips_beside(kind: Kind, scores: Floats, teacher_scores: Floats) -> tuple[LabelFlips, ...]:
    """The flips of a head of any kind; one logit has no label that could flip.

    Args:
        kind: Of both heads.
        scores: (N, L), the model's logits.
        teacher_scores: (N, L).
    """
    if kind == "multi_label":
        return flips_of_several(said_labels(scores), said_labels(teacher_scores))
    return flips(scores, teacher_scores) if kind == "single_label" else ()


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
        is_flipped = choices[rows] != label
        others = np.bincount(choices[rows][is_flipped])
        instead = int(others.argmax()) if len(others) else None
        found.append(_flips_of(int(label), is_flipped, instead, None if groups is None else groups[rows]))
    return tuple(found)


def flips_of_several(
    said: NDArray[np.bool_], teacher_said: NDArray[np.bool_], groups: Ids | None = None
) -> tuple[LabelFlips, ...]:
    """The same of models that may give an item several labels: those of the teacher's that the model leaves out.

    Args:
        said: (N, L), which labels the model gives.
        teacher_said: (N, L).
        groups: (N,), equal for items that are one unit for errors.
    """
    found = []
    for label in np.flatnonzero(teacher_said.any(axis=0)):
        rows = teacher_said[:, label]
        found.append(_flips_of(int(label), ~said[rows, label], None, None if groups is None else groups[rows]))
    return tuple(found)


def _flips_of(label: int, is_flipped: NDArray[np.bool_], most_often: int | None, groups: Ids | None) -> LabelFlips:
    return LabelFlips(
        label=label,
        num_items=len(is_flipped),
        num_flipped=int(is_flipped.sum()),
        share=mean_metric(is_flipped.astype(np.float64), groups),
        most_often=most_often,
    )
