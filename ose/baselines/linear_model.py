"""Logistic regression on features of texts, for whatever a task has learnt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack, issparse
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression, Ridge

Floats = NDArray[np.float64]
Features = Any
"""(N, F), an array or a sparse one."""

_LEAST_SHARE = 0.01
"""A label that a teacher gives less of an item is not learnt there: of many labels nearly all are next to nothing."""

_UNSEEN = -15.0
"""Score of a label that no training item has."""

_ITERATIONS = 1000


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Scores of an item's answers.

    Attributes:
        weights: (F, questions * choices), or of a number (F, 1).
        intercepts: One for each column.
        num_questions: 0 of a number.
    """

    weights: Floats
    intercepts: Floats
    num_questions: int

    @property
    def num_parameters(self) -> int:
        """Of the columns that were learnt: of two choices one is."""
        return (len(self.weights) + 1) * int(self.weights.any(axis=0).sum())

    def answers(self, features: Features) -> Floats:
        """(N, questions, choices) log-probabilities, or (N, 1) numbers."""
        scores: Floats = features @ self.weights + self.intercepts
        if self.num_questions == 0:
            return scores
        found: Floats = log_softmax(scores.reshape(len(scores), self.num_questions, -1), axis=-1)
        return found


def fit(features: Features, answers: Floats, strength: float) -> LinearModel:
    """Learn answers in the form that `LinearModel.answers` has.

    A distribution is learnt as it is: an item counts once for each of its labels, with its share as the weight.

    Args:
        features: Of N items.
        answers: What is learnt of them.
        strength: scikit-learn's C: how little weights are held to 0.
    """
    if answers.ndim == 2:
        ridge = Ridge(alpha=1 / strength).fit(features, answers[:, 0])
        return LinearModel(ridge.coef_.reshape(-1, 1), np.array([ridge.intercept_]), 0)
    fitted = [_question(features, np.exp(answers[:, each]), strength) for each in range(answers.shape[1])]
    weights, intercepts = (np.concatenate(each, axis=-1) for each in zip(*fitted, strict=True))
    return LinearModel(weights, intercepts, answers.shape[1])


def pair_features(first: Features, second: Features) -> Features:
    """What two texts have in common, and what not: features in which a linear model can compare them."""
    if issparse(first):
        return csr_array(hstack([abs(first - second), first.multiply(second)]))
    return np.hstack([abs(first - second), first * second])


def _question(features: Features, shares: Floats, strength: float) -> tuple[Floats, Floats]:
    """(F, choices) and (choices,) of one question, from the share of each choice in each item."""
    rows, choices = np.nonzero(shares > _LEAST_SHARE)
    weights, intercepts = np.zeros((features.shape[1], shares.shape[1])), np.full(shares.shape[1], _UNSEEN)
    seen = np.unique(choices)
    intercepts[seen] = 0.0
    if len(seen) > 1:
        model = LogisticRegression(C=strength, max_iter=_ITERATIONS)
        model.fit(features[rows], choices, sample_weight=shares[rows, choices])
        of = seen[-1:] if len(seen) == 2 else seen  # of two choices the first has the score 0
        weights[:, of], intercepts[of] = model.coef_.T, model.intercept_
    return weights, intercepts
