"""A classifier's answers held against labels: the official metrics, and the loss beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric
from ose.tasks.text_classification.differences import Figures, figures_of
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind, threshold_of
from ose.tasks.text_classification.metrics import Truths, metrics_of
from ose.tasks.text_classification.resampling import Floats, mean_metric


def scored_by_labels(kind: Kind, logits: NDArray[Any], items: TextItems, problem_type: str | None) -> dict[str, Metric]:
    """Metrics, the headline first and the loss last.

    Raises:
        NonFiniteLossError: A logit is not finite.
    """
    found = metrics_of(kind, logits, truths_of(items, threshold_of(problem_type)))
    return {**found, loss_name(kind): mean_metric(label_losses(kind, logits, items))}


def label_figures(kind: Kind, logits: NDArray[Any], items: TextItems, problem_type: str | None) -> Figures:
    """What the same metrics are made of, so that two models can be compared."""
    found = figures_of(kind, logits, truths_of(items, threshold_of(problem_type)))
    return Figures(
        values={**found.values, loss_name(kind): label_losses(kind, logits, items)}, statistics=found.statistics
    )


def truths_of(items: TextItems, threshold: float = 0.0, teacher_scores: Floats | None = None) -> Truths:
    """What is true of the items.

    Args:
        items: With labels, queries, both or neither.
        threshold: See `threshold_of`.
        teacher_scores: (N, L), what a teacher says of them.
    """
    return Truths(
        labels=None if items.labels is None else items.labels.numpy(),
        query_ids=None if items.queries is None else items.queries.numpy(),
        teacher_scores=teacher_scores,
        threshold=threshold,
    )


def loss_name(kind: Kind) -> str:
    """What the loss is called, with its unit."""
    return "squared_error" if kind == "one_logit" else "loss_nats"


def label_losses(kind: Kind, logits: NDArray[Any], items: TextItems) -> Floats:
    """(N,): cross-entropy, mean over labels where there are several at once; of one logit the squared error."""
    assert items.labels is not None
    found, labels = np.asarray(logits, dtype=np.float64), items.labels.numpy()
    if kind == "one_logit":
        squares: Floats = np.square(found[:, 0] - labels)
        return squares
    if kind == "multi_label":
        entropies: Floats = (np.logaddexp(0, found) - labels * found).mean(axis=1)
        return entropies
    losses: Floats = np.logaddexp.reduce(found, axis=1) - found[np.arange(len(found)), labels]
    return losses
