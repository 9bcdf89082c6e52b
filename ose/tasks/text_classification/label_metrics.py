"""Metrics that follow from three counts of each label: how often it was right, said, and true.

Values are scikit-learn's `f1_score` and `matthews_corrcoef`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ose.core.measurement import Metric
from ose.tasks.text_classification.resampling import Floats, Ids, Statistics, bootstrap_metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """Counts of L labels in each of S resamples.

    Attributes:
        right: (S, L), items that have the label and were given it.
        said: (S, L), items that were given it.
        true: (S, L), items that have it.
        items: (S,), all items.
    """

    right: Floats
    said: Floats
    true: Floats
    items: Floats


LabelMetric = Callable[[LabelCounts], Floats]
"""Counts of S resamples to the metric of each, (S,)."""


def label_metrics(
    metrics: Mapping[str, LabelMetric], said: Floats, true: Floats, groups: Ids | None = None, seed: int = 0
) -> dict[str, Metric]:
    """Metrics by name, with errors over resamples.

    Args:
        metrics: What is wanted.
        said: (N, L), 1 where a model gives the item the label, else 0.
        true: (N, L), 1 where it has the label.
        groups: Items that are one unit.
        seed: Of the resamples.
    """
    return bootstrap_metrics(label_statistics(metrics, said, true), len(said), groups, seed)


def label_statistics(metrics: Mapping[str, LabelMetric], said: Floats, true: Floats) -> Statistics:
    """The same as a function of how often each item was drawn."""
    counted = [csr_array(each.T) for each in (said * true, said, true)]  # mostly 0: an item has few of the labels

    def statistics(weights: Floats) -> dict[str, Floats]:
        by_item = np.ascontiguousarray(weights.T)
        right_counts, said_counts, true_counts = ((each @ by_item).T for each in counted)
        counts = LabelCounts(right=right_counts, said=said_counts, true=true_counts, items=weights.sum(axis=1))
        return {name: metric(counts) for name, metric in metrics.items()}

    return statistics


def one_hot(ids: np.ndarray, num_labels: int) -> Floats:
    """(N, L): 1 at the label of each item."""
    return np.asarray(ids[:, None] == np.arange(num_labels), dtype=np.float64)


def micro_f1(counts: LabelCounts) -> Floats:
    """F1 of all decisions together; 0 if there is no label, neither said nor true."""
    return _ratio(2 * counts.right.sum(axis=1), (counts.said + counts.true).sum(axis=1))


def macro_f1(counts: LabelCounts) -> Floats:
    """Mean F1 of the labels that occur, said or true."""
    occurs = (counts.said + counts.true) > 0
    return _ratio(_f1(counts).sum(axis=1), occurs.sum(axis=1))


def macro_f1_of_all(counts: LabelCounts) -> Floats:
    """Mean F1 of all labels; one that does not occur counts 0."""
    mean: Floats = _f1(counts).mean(axis=1)
    return mean


def matthews(counts: LabelCounts) -> Floats:
    """Correlation of what is said with what is true; 0 if either is always the same label."""
    square = counts.items**2
    said, true = (square - np.square(each).sum(axis=1) for each in (counts.said, counts.true))
    both = counts.items * counts.right.sum(axis=1) - (counts.said * counts.true).sum(axis=1)
    return _ratio(both, np.sqrt(said * true))


OF_ONE_LABEL: Mapping[str, LabelMetric] = {"macro_f1": macro_f1, "matthews": matthews}
OF_SEVERAL_LABELS: Mapping[str, LabelMetric] = {"micro_f1": micro_f1, "macro_f1": macro_f1_of_all}


def _f1(counts: LabelCounts) -> Floats:
    return _ratio(2 * counts.right, counts.said + counts.true)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
