"""How well scores follow other numbers: Pearson's correlation, and Spearman's, which is Pearson's of ranks.

Values are SciPy's `pearsonr` and `spearmanr`, with ties at their middle rank. Constant scores follow nothing and have
0, where SciPy has NaN: a model that says the same of everything is bad, and no reason to stop.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ose.core.measurement import Metric
from ose.tasks.text_classification.resampling import Floats, Ids, Statistics, bootstrap_metrics

_ROUNDING = 1e-12
"""A variance below this share of the square sum is what rounding leaves of none."""


def correlations(scores: Floats, truths: Floats, groups: Ids | None = None, seed: int = 0) -> dict[str, Metric]:
    """Both correlations, `spearman` first, with errors over resamples.

    Args:
        scores: (N,).
        truths: (N,), what they should follow.
        groups: Items that are one unit.
        seed: Of the resamples.
    """
    return bootstrap_metrics(correlation_statistics(scores, truths), len(scores), groups, seed)


def correlation_statistics(scores: Floats, truths: Floats) -> Statistics:
    """The same as a function of how often each item was drawn."""
    x, y = _centred(scores), _centred(truths)
    x_ranks, y_ranks = _ranks(scores), _ranks(truths)

    def statistics(weights: Floats) -> dict[str, Floats]:
        spearman = _rank_correlation(weights, x_ranks(weights), y_ranks(weights))
        return {"spearman": spearman, "pearson": _correlation(weights, x, y)}

    return statistics


def _centred(values: Floats) -> Floats:
    """Values around 0 and of size 1, which no correlation depends on but rounding does."""
    spread = np.ptp(values)
    centred: Floats = values - values.mean()
    return centred / spread if spread > 0 else np.zeros_like(values)


def _ranks(values: Floats) -> Callable[[Floats], Floats]:
    """A function from weights (S, N) to the items' ranks (S, N) in each resample, less their mean there."""
    distinct, place = np.unique(values, return_inverse=True)
    order = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[order], np.arange(len(distinct)))

    def ranks(weights: Floats) -> Floats:
        counts = np.add.reduceat(weights[:, order], starts, axis=1)
        up_to = np.cumsum(counts, axis=1)
        from_middle: Floats = up_to - (counts + up_to[:, -1:]) / 2
        return from_middle[:, place]

    return ranks


def _rank_correlation(weights: Floats, x: Floats, y: Floats) -> Floats:
    weighted = weights * x
    covariance, x_variance = np.einsum("sn,sn->s", weighted, y), np.einsum("sn,sn->s", weighted, x)
    y_variance = np.einsum("sn,sn,sn->s", weights, y, y)
    return _ratio(covariance, x_variance, y_variance)


def _correlation(weights: Floats, x: Floats, y: Floats) -> Floats:
    total = weights.sum(axis=1)
    x_sum, y_sum, xx, yy, xy = (np.einsum("sn,n->s", weights, each) for each in (x, y, x * x, y * y, x * y))
    return _ratio(xy - x_sum * y_sum / total, _variance(xx, x_sum, total), _variance(yy, y_sum, total))


def _variance(square_sum: Floats, value_sum: Floats, total: Floats) -> Floats:
    variance = square_sum - value_sum**2 / total
    return np.where(variance > _ROUNDING * square_sum, variance, 0.0)


def _ratio(covariance: Floats, x_variance: Floats, y_variance: Floats) -> Floats:
    scale = np.sqrt(x_variance * y_variance)
    return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
