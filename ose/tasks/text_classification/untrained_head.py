"""Has a teacher's head been trained at all? A model class loads without its head's weights and draws them instead.

The rules look at answers, and so are no proof. Heads that transformers draws (a pooler and a head of deviation 0.02 on
real states of 384 numbers, 400 heads each of 2, 3, 20 and 150 labels) had mean entropies of 99 % and more of the most
there can be; on states that no `tanh` bounds, 96.6 % and more in 99 of 100. One of the two rules recognised each of
them. One logit of such heads deviated by 0.077 at most; of wider models it may be more, and is then missed. A trained
head that answers all texts alike, or a regression whose truths vary by less than 0.1, is taken for one that never was.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ose.core.shown import NAME, shown
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.metrics import said_labels
from ose.tasks.text_classification.resampling import Floats

LEAST_ENTROPY = 0.95
"""Mean entropy, as a share of the most there can be, from which answers are as good as drawn."""

LEAST_DEVIATION = 0.1
"""Standard deviation of one logit over items up to which it says the same of all."""

_SO = "as those of a head that was never trained are"


def untrained_head(kind: Kind, teacher_scores: Floats, names: Sequence[str] = ()) -> str | None:
    """Why a teacher's answers look like those of a head that was never trained; None if they do not.

    Args:
        kind: Of the head.
        teacher_scores: (N, L), or of one logit (N,): its logits for items that differ.
        names: Of its labels, by id, for the message.
    """
    if len(teacher_scores) < 2:  # one item says nothing of how much answers vary
        return None
    if kind == "one_logit":
        return _of_one_logit(teacher_scores.reshape(len(teacher_scores)))
    share = _entropy_share(kind, teacher_scores)
    if share >= LEAST_ENTROPY:
        return f"its answers are no surer than a random head's (mean entropy {share:.1%} of the most there can be)"
    return _of_one_answer(kind, teacher_scores, names)


def _of_one_logit(scores: Floats) -> str | None:
    deviation = float(scores.std(ddof=1))
    if deviation > LEAST_DEVIATION:
        return None
    return f"its logit varies by {deviation:.3f} over {len(scores):,} items, as little {_SO}"


def _of_one_answer(kind: Kind, scores: Floats, names: Sequence[str]) -> str | None:
    said = said_labels(scores) if kind == "multi_label" else scores.argmax(axis=1)[:, None]
    if (said != said[0]).any():
        return None
    ids = np.flatnonzero(said[0]) if kind == "multi_label" else said[0]
    answer = ", ".join(f"'{shown(names[index], NAME)}'" if names else f"label {index}" for index in ids[:8])
    return f"it answers {answer or 'no label'} to all {len(scores):,} items, alike {_SO}"


def _entropy_share(kind: Kind, scores: Floats) -> float:
    """Mean entropy of the answers, as a share of the most there can be."""
    if kind == "multi_label":
        return float(_entropy(np.stack([scores, np.zeros_like(scores)], axis=-1)).mean() / np.log(2))
    return float(_entropy(scores).mean() / np.log(scores.shape[1]))


def _entropy(logits: Floats) -> Floats:
    """Of the softmax over the last axis, in nats."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    weights = np.exp(shifted)
    total = weights.sum(axis=-1)
    entropy: Floats = np.log(total) - (weights * shifted).sum(axis=-1) / total
    return entropy
