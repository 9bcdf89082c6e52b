"""What metrics are called where people read them, and which of them are shares.

A metric that is not in the table goes by its name, and is read by the unit that its name ends in, or else in percent.
"""

from __future__ import annotations

import re

SHARE_KEPT = "share_kept"
SHARE_OF_LEAD = "share_of_lead"
"""Of the teacher's first metric, and of its lead in it over a bag of words: computed when a board is read."""

METRIC_LABELS = {
    "masked_lm_loss_nats": "held-out masked-LM loss, nats",
    "masked_accuracy": "masked tokens right",
    "accuracy": "accuracy",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "matthews": "Matthews correlation",
    "pearson": "Pearson correlation",
    "spearman": "Spearman correlation",
    "ndcg": "nDCG",
    "mrr": "MRR",
    "recall": "recall",
    "agreement": "agreement with the teacher",
    "teacher_pearson": "Pearson correlation with the teacher",
    "teacher_spearman": "Spearman correlation with the teacher",
    "loss_nats": "loss, nats",
    "squared_error": "mean squared error",
    "divergence_nats": "divergence from the teacher, nats",
    "teacher_squared_error": "squared error to the teacher",
    SHARE_KEPT: "share of the teacher's kept",
    SHARE_OF_LEAD: "share of the teacher's lead over a bag of words",
}
"""By name; of those that look at the first k of a ranking without the `_at_k`."""

_NO_SHARES = {
    "matthews", "pearson", "spearman", "teacher_pearson", "teacher_spearman", "ndcg", "mrr",
    "squared_error", "teacher_squared_error",
}  # fmt: skip
"""Figures that are shares of nothing: three digits say more than percent."""

_AT_K = re.compile(r"(?P<name>.+)_at_(?P<k>[0-9]+)")


def metric_label(name: str) -> str:
    """What people call a metric: `nDCG@10`; its own name if it is not in the table."""
    if match := _AT_K.fullmatch(name):
        return f"{METRIC_LABELS[match['name']]}@{match['k']}" if match["name"] in METRIC_LABELS else name
    return METRIC_LABELS.get(name, name)


def is_share(name: str) -> bool:
    """Whether a metric is a share, which people read in percent."""
    match = _AT_K.fullmatch(name)
    return not name.endswith("_nats") and (match["name"] if match else name) not in _NO_SHARES


def is_better_lower(name: str) -> bool:
    """Whether a model is the better the lower its figure is, as of losses."""
    return name.endswith(("_nats", "squared_error"))
