"""How much better one model is than another on the same items, with the error of the difference in pairs.

Models are right and wrong on the same items mostly, so a difference is known better than either figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric
from ose.tasks.text_classification.correlations import correlation_statistics
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.label_metrics import OF_ONE_LABEL, OF_SEVERAL_LABELS, label_statistics, one_hot
from ose.tasks.text_classification.metrics import Truths, said_labels
from ose.tasks.text_classification.ranking_metrics import ranking_values
from ose.tasks.text_classification.resampling import Floats, Statistics, bootstrap_metrics, mean_metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the metrics of a model's answers are made of.

    Attributes:
        values: Metrics that are means: a value for each item, or for each query.
        statistics: All others, as functions of how often each item was drawn; None if there are none.
    """

    values: Mapping[str, Floats]
    statistics: Statistics | None = None


def figures_of(kind: Kind, scores: NDArray[Any], truths: Truths) -> Figures:
    """Those of the metrics that `metrics_of` takes from labels.

    Args:
        kind: Of the head.
        scores: The model's logits, (N, L).
        truths: With labels.
    """
    found, labels = np.asarray(scores, dtype=np.float64), np.asarray(truths.labels)
    if kind == "single_label":
        return _of_one_label(found, labels)
    if kind == "multi_label":
        return _of_several_labels(found, labels.astype(np.float64))
    return _of_one_logit(found.reshape(len(found)), labels.astype(np.float64), truths)


def differences(ours: Figures, theirs: Figures, num_items: int, seed: int = 0) -> dict[str, Metric]:
    """Each metric of one model less that of another, with the standard error of this difference.

    Args:
        ours: Of the one.
        theirs: Of the other, on the same items in the same order.
        num_items: Of items.
        seed: Of the resamples.
    """
    found = {name: mean_metric(values - theirs.values[name]) for name, values in ours.values.items()}
    one, other = ours.statistics, theirs.statistics
    if one is None or other is None:
        return found

    def statistics(weights: Floats) -> dict[str, Floats]:
        subtracted = other(weights)
        return {name: values - subtracted[name] for name, values in one(weights).items()}

    return {**found, **bootstrap_metrics(statistics, num_items, seed=seed)}


def _of_one_label(scores: Floats, labels: NDArray[Any]) -> Figures:
    choices, num_labels = scores.argmax(axis=1), scores.shape[1]
    right = {"accuracy": (choices == labels).astype(np.float64)}
    said, true = one_hot(choices, num_labels), one_hot(labels, num_labels)
    return Figures(values=right, statistics=label_statistics(OF_ONE_LABEL, said, true))


def _of_several_labels(scores: Floats, labels: Floats) -> Figures:
    said = said_labels(scores).astype(np.float64)
    right = {"accuracy": (said == labels).all(axis=1).astype(np.float64)}
    return Figures(values=right, statistics=label_statistics(OF_SEVERAL_LABELS, said, labels))


def _of_one_logit(scores: Floats, labels: Floats, truths: Truths) -> Figures:
    if truths.query_ids is not None:
        return Figures(values=ranking_values(scores, labels, truths.query_ids, truths.k))
    is_binary = np.isin(labels, (0, 1)).all()
    right = {"accuracy": ((scores > truths.threshold) == labels).astype(np.float64)} if is_binary else {}
    return Figures(values=right, statistics=correlation_statistics(scores, labels))
