"""How good a classifier is: its answers to N items as named metrics with standard errors, the headline first.

With labels there are

- of `single_label` (ids) `accuracy`, `macro_f1` and `matthews`;
- of `multi_label` (0 or 1 for each label) `micro_f1`, `macro_f1`, and as `accuracy` the share of items with all labels
  right; a label is given where its logit is above 0;
- of `one_logit` (numbers) `spearman` and `pearson`, and `accuracy` too if all are 0 or 1; with queries in their place
  `ndcg_at_10`, `mrr_at_10` and `recall_at_10`.

Beside a teacher there is `agreement`: the share of items with the same first choice, or the same labels. One logit has
`teacher_spearman` and `teacher_pearson`, and with queries before them `agreement`, on the first answer.

Of equal scores the label with the lowest id is the first choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric
from ose.errors import NonFiniteLossError
from ose.tasks.text_classification.correlations import correlations
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.label_metrics import OF_ONE_LABEL, OF_SEVERAL_LABELS, label_metrics, one_hot
from ose.tasks.text_classification.ranking_metrics import ranking_metrics, top_agreement
from ose.tasks.text_classification.resampling import Floats, Ids, mean_metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Truths:
    """What the answers of models to N items are held against: labels, a teacher, or both.

    Attributes:
        labels: By kind as in the table above; None where there are none.
        teacher_scores: The teacher's answers, shaped as the models'; None leaves it out.
        query_ids: (N,), which answers belong to one query; of one logit alone.
        groups: (N,), equal for items that are one unit for errors, as phrases of one sentence are; without them
            each item is a unit, and of one logit with queries each query.
        k: Places of a ranking that count.
        threshold: What one logit has to exceed to say 1, where labels are 0 and 1: see `threshold_of`.
        seed: Of the resamples that errors come from; models that share it see the same ones.
    """

    labels: NDArray[Any] | None = None
    teacher_scores: NDArray[Any] | None = None
    query_ids: Ids | None = None
    groups: Ids | None = None
    k: int = 10
    threshold: float = 0.0
    seed: int = 0


def metrics_of(kind: Kind, scores: NDArray[Any], truths: Truths) -> dict[str, Metric]:
    """A model's metrics: those of the labels, then those beside the teacher; the first one is the headline.

    Args:
        kind: Of the head.
        scores: Its logits, (N, L) or of one logit (N,).
        truths: What they are held against.

    Raises:
        NonFiniteLossError: Scores are NaN or infinite: the model has diverged.
    """
    finite = _finite(scores)
    by_labels, by_teacher = _METRICS[kind]
    found = {} if truths.labels is None else by_labels(finite, np.asarray(truths.labels), truths)
    if truths.teacher_scores is None:
        return found
    return {**found, **by_teacher(finite, _finite(truths.teacher_scores), truths)}


def said_labels(scores: NDArray[Any]) -> NDArray[np.bool_]:
    """(N, L): which labels a model with several at once gives."""
    return np.asarray(scores) > 0


def _of_one_label(scores: Floats, labels: NDArray[Any], truths: Truths) -> dict[str, Metric]:
    choices, num_labels = scores.argmax(axis=1), scores.shape[1]
    said, true = one_hot(choices, num_labels), one_hot(labels, num_labels)
    counted = label_metrics(OF_ONE_LABEL, said, true, truths.groups, truths.seed)
    return {"accuracy": _share(choices == labels, truths.groups), **counted}


def _of_several_labels(scores: Floats, labels: NDArray[Any], truths: Truths) -> dict[str, Metric]:
    said, true = said_labels(scores).astype(np.float64), labels.astype(np.float64)
    counted = label_metrics(OF_SEVERAL_LABELS, said, true, truths.groups, truths.seed)
    return {**counted, "accuracy": _share((said == true).all(axis=1), truths.groups)}


def _of_one_logit(scores: Floats, labels: NDArray[Any], truths: Truths) -> dict[str, Metric]:
    scores, labels = scores.reshape(len(scores)), labels.astype(np.float64)
    if truths.query_ids is not None:
        return ranking_metrics(scores, labels, truths.query_ids, truths.k)
    found = correlations(scores, labels, truths.groups, truths.seed)
    if np.isin(labels, (0, 1)).all():
        found["accuracy"] = _share((scores > truths.threshold) == labels, truths.groups)
    return found


def _same_choice(scores: Floats, teacher_scores: Floats, truths: Truths) -> dict[str, Metric]:
    return {"agreement": _share(scores.argmax(axis=1) == teacher_scores.argmax(axis=1), truths.groups)}


def _same_labels(scores: Floats, teacher_scores: Floats, truths: Truths) -> dict[str, Metric]:
    same = (said_labels(scores) == said_labels(teacher_scores)).all(axis=1)
    return {"agreement": _share(same, truths.groups)}


def _same_order(scores: Floats, teacher_scores: Floats, truths: Truths) -> dict[str, Metric]:
    scores, teacher_scores = scores.reshape(len(scores)), teacher_scores.reshape(len(scores))
    units = truths.groups if truths.groups is not None else truths.query_ids
    found = correlations(scores, teacher_scores, units, truths.seed)
    correlated = {f"teacher_{name}": metric for name, metric in found.items()}
    top = None if truths.query_ids is None else top_agreement(scores, teacher_scores, truths.query_ids)
    return correlated if top is None else {"agreement": top, **correlated}


_OfAnswers = Callable[[Floats, NDArray[Any], Truths], dict[str, Metric]]
_METRICS: dict[Kind, tuple[_OfAnswers, _OfAnswers]] = {
    "single_label": (_of_one_label, _same_choice),
    "multi_label": (_of_several_labels, _same_labels),
    "one_logit": (_of_one_logit, _same_order),
}
"""By kind: what labels say of a model, and what the teacher says."""


def _share(holds: NDArray[Any], groups: Ids | None) -> Metric:
    return mean_metric(holds.astype(np.float64), groups)


def _finite(scores: NDArray[Any]) -> Floats:
    found = np.asarray(scores, dtype=np.float64)
    bad = ~np.isfinite(found.reshape(len(found), -1)).all(axis=1)
    if bad.any():
        raise NonFiniteLossError(f"the answers to {bad.sum():,} of {len(found):,} items are not finite")
    return found
