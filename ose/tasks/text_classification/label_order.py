"""Are a corpus's numbered labels in the teacher's order? Heads of natural-language inference disagree on theirs.

Numbers are taken for the teacher's ids and held against its answers. Of all orders the one is looked for in which most
labels agree with the first choices beyond what frequencies alone would make agree: a teacher that says one label of
nearly everything fits no order better than another. It fits clearly better if it gains more than 5 points of accuracy
and, where each half of the items is judged by the order that was chosen on the other, more than 5 points and 4 standard
errors (of one half) of agreement beyond chance: the best of many orders always looks good where it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ose.core.measurement import mean_and_stderr
from ose.core.shown import NAME, shown
from ose.tasks.text_classification.resampling import Floats, Ids, numbered

LEAST_GAIN = 0.05
LEAST_STDERRS = 4.0

_FEW = 6
"""Labels that a message lists."""

_Order = NDArray[np.intp]
"""(L,): label of the corpus to the teacher's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOrder:
    """Another order of the labels, which fits the teacher's answers clearly better.

    Attributes:
        teacher_ids: By label of the corpus, the teacher's id that it fits.
        accuracy: The teacher's, in that order.
        accuracy_as_given: With the labels as they are.
        num_items: Labels that were looked at.
    """

    teacher_ids: tuple[int, ...]
    accuracy: float
    accuracy_as_given: float
    num_items: int

    def text(self, names: Sequence[str]) -> str:
        """One line that names the order; `names` are the teacher's, by id."""
        moved = [(label, index) for label, index in enumerate(self.teacher_ids) if label != index]
        pairs = [f"{label} is its {index} ('{shown(names[index], NAME)}')" for label, index in moved[:_FEW]]
        more = f" and {len(moved) - _FEW} more" if len(moved) > _FEW else ""
        return (
            f"numbered labels are in another order than the teacher's: {', '.join(pairs)}{more} would make "
            f"{self.accuracy:.1%} of its answers to {self.num_items:,} items right, not {self.accuracy_as_given:.1%}; "
            "give names, or the teacher's ids"
        )


def fitting_order(labels: NDArray[Any], teacher_scores: Floats, groups: Ids | None = None) -> LabelOrder | None:
    """The order that fits the teacher's answers clearly better than the labels as they are; None if none does.

    Args:
        labels: (N,), ids.
        teacher_scores: (N, L).
        groups: (N,), equal for items that belong together, which no half of the items shares with the other.
    """
    choices, num_labels = teacher_scores.argmax(axis=1), teacher_scores.shape[1]
    order = _best_order(labels, choices, num_labels)
    accuracy, as_given = float((order[labels] == choices).mean()), float((labels == choices).mean())
    if accuracy - as_given <= LEAST_GAIN:
        return None
    gain, stderr = mean_and_stderr(_cross_fitted_gains(labels, choices, num_labels, groups).tolist())
    one_half = math.sqrt(2) * stderr  # halves that chose for each other agree too well to count as two
    if not gain > max(LEAST_GAIN, LEAST_STDERRS * one_half):
        return None
    return LabelOrder(
        teacher_ids=tuple(order.tolist()), accuracy=accuracy, accuracy_as_given=as_given, num_items=len(labels)
    )


def _best_order(labels: NDArray[Any], choices: NDArray[Any], num_labels: int) -> _Order:
    """The order with the most agreement beyond chance; of equals one that moves few labels."""
    counts = np.zeros((num_labels, num_labels))
    np.add.at(counts, (labels, choices), 1)
    by_chance = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / len(labels)
    nudge = np.eye(num_labels) / (2 * num_labels)  # less than one item in all
    order: _Order = linear_sum_assignment(counts - by_chance + nudge, maximize=True)[1]
    return order


def _cross_fitted_gains(labels: NDArray[Any], choices: NDArray[Any], num_labels: int, groups: Ids | None) -> Floats:
    """(units,): whose mean is what the order gains on each item where it was chosen without the item's half."""
    units = np.arange(len(labels)) if groups is None else numbered(groups)
    is_odd = units % 2 == 1
    gains = np.zeros(len(labels))
    for half in (is_odd, ~is_odd):
        if half.any() and not half.all():
            order = _best_order(labels[~half], choices[~half], num_labels)
            gains[half] = _gains(order, labels[half], choices[half])
    totals = np.bincount(units, weights=gains)
    return totals * len(totals) / len(labels)


def _gains(order: _Order, labels: NDArray[Any], choices: NDArray[Any]) -> Floats:
    """(N,): each item's part in the agreement beyond chance that an order has before the identity."""
    identity = np.arange(len(order))
    return _agreement(order, labels, choices) - _agreement(identity, labels, choices)


def _agreement(order: _Order, labels: NDArray[Any], choices: NDArray[Any]) -> Floats:
    """(N,): whose mean is the share that agrees less the share that frequencies make agree.

    That is no mean of items but of all pairs of them, so each has the part by which it moves it (its influence).
    """
    of_labels = np.bincount(order[labels], minlength=len(order)) / len(labels)
    of_choices = np.bincount(choices, minlength=len(order)) / len(labels)
    by_chance = of_labels @ of_choices
    agrees = np.asarray(order[labels] == choices, dtype=np.float64)
    expected: Floats = of_choices[order[labels]] + of_labels[choices] - by_chance
    return agrees - expected
