"""What guessing would get right: the answers of a trained classifier are better than one answer for all texts.

Where labels are uneven, a classifier that finds the rare ones may be right less often than the most frequent label is.
So it is enough for it to agree with the labels clearly beyond chance. Rankings are left out: no order is most frequent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric, TeacherCheck
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind

_CLEARLY = 2.0
"""Standard errors of agreement beyond chance."""


def most_frequent_check(kind: Kind, metrics: Mapping[str, Metric], items: TextItems) -> TeacherCheck | None:
    """Hold a teacher's metrics against those of the best single answer to all items; None where labels do not tell.

    Args:
        kind: Of the head.
        metrics: The teacher's.
        items: What it was asked, mostly with labels.
    """
    if items.labels is None or items.queries is not None:
        return None
    labels = items.labels.numpy()
    if kind == "single_label":
        return _single(metrics, labels)
    return _several(metrics, labels) if kind == "multi_label" else _one_logit(metrics, labels)


def _single(metrics: Mapping[str, Metric], labels: NDArray[Any]) -> TeacherCheck:
    accuracy, share = metrics["accuracy"].value, float(np.bincount(labels).max() / len(labels))
    beyond_chance = metrics["matthews"]
    is_clear = beyond_chance.value > _CLEARLY * (beyond_chance.stderr or 0) and beyond_chance.value > 0
    told = (
        f"{accuracy:.1%} of its answers to {len(labels):,} items are right, where the most frequent label is right in "
        f"{share:.1%}; agreement beyond chance (Matthews) is {beyond_chance.value:.2f}"
    )
    return _check("accuracy", accuracy, share, told, is_passed=accuracy > share or is_clear)


def _several(metrics: Mapping[str, Metric], labels: NDArray[Any]) -> TeacherCheck:
    score, bound = metrics["micro_f1"].value, _best_constant_f1(labels)
    told = f"its micro F1 on {len(labels):,} items is {score:.1%}, where the best same labels for all have {bound:.1%}"
    return _check("micro_f1", score, bound, told, is_passed=score > bound)


def _best_constant_f1(labels: NDArray[Any]) -> float:
    """Micro F1 of giving all items the k most frequent labels, for the best k."""
    counts = np.sort(labels.sum(axis=0))[::-1].cumsum()
    given = np.arange(1, len(counts) + 1) * len(labels)
    return float((2 * counts / (given + labels.sum())).max())


def _one_logit(metrics: Mapping[str, Metric], labels: NDArray[Any]) -> TeacherCheck | None:
    if "spearman" not in metrics or (labels == labels[0]).all():
        return None
    found = metrics["spearman"].value
    told = f"its numbers for {len(labels):,} items follow the labels with a rank correlation of {found:.2f}"
    return _check("spearman", found, 0.0, told, is_passed=found > 0)


def _check(name: str, value: float, bound: float, told: str, *, is_passed: bool) -> TeacherCheck:
    more = "" if is_passed else ": it is no better than one answer for all"
    return TeacherCheck(name=name, value=value, bound=bound, is_passed=is_passed, told=told + more)
