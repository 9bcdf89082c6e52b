"""How far a metric would move with other items: its standard error.

What is independent is a unit: an item, or several that belong together, such as the phrases of one sentence or the
answers to one query. A mean has its error from the spread of the units. All else is computed again on resamples, in
each of which every unit is drawn as often as chance has it (Efron's bootstrap). A metric that can be resampled takes
how often each item was drawn as its weight, so that all resamples are one multiplication and no loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.measurement import Metric

Floats = NDArray[np.float64]
Ids = NDArray[Any]
"""(N,): equal where items belong together, of any type that sorts."""

Statistics = Callable[[Floats], Mapping[str, Floats]]
"""Weights (S, N) of S resamples to each metric of each of them, (S,)."""

NUM_RESAMPLES = 500
"""So many tell an error to 3 in 100."""

_BLOCK = 2**20
"""Weights at once: few enough for the processor's cache, enough for its vectors."""


def mean_metric(values: Floats, groups: Ids | None = None) -> Metric:
    """The mean of one value for each item.

    Args:
        values: (N,), at least one.
        groups: Items that are one unit; without them each is its own.
    """
    mean = values.mean()
    deviations = values - mean
    if groups is not None:
        deviations = np.bincount(numbered(groups), weights=deviations)
    count = len(deviations)
    if count < 2:
        return Metric(value=float(mean), stderr=None)
    stderr = np.sqrt(count / (count - 1) * np.square(deviations).sum()) / len(values)
    return Metric(value=float(mean), stderr=float(stderr))


def bootstrap_metrics(
    statistics: Statistics, num_items: int, groups: Ids | None = None, seed: int = 0
) -> dict[str, Metric]:
    """Metrics of all items, each with its standard error over resamples; the same seed draws the same ones.

    Args:
        statistics: What computes the metrics.
        num_items: N, at least one.
        groups: As for `mean_metric`.
        seed: Of the resamples.
    """
    values = statistics(np.ones((1, num_items)))
    units = np.arange(num_items) if groups is None else numbered(groups)
    if units.max() < 1:
        return {name: Metric(value=float(value[0]), stderr=None) for name, value in values.items()}
    blocks = [statistics(weights) for weights in _resamples(units, seed)]
    resampled = {name: np.concatenate([each[name] for each in blocks]) for name in values}
    return {
        name: Metric(value=float(value[0]), stderr=float(resampled[name].std(ddof=1))) for name, value in values.items()
    }


def numbered(ids: Ids) -> NDArray[np.intp]:
    """(N,): ids of any type as numbers from 0."""
    return np.unique(ids, return_inverse=True)[1]


def _resamples(units: NDArray[np.intp], seed: int) -> Iterator[Floats]:
    """Weights of items, (S, N) in blocks: how often the unit of each was drawn."""
    rng = np.random.default_rng(seed)
    num_units = int(units.max()) + 1
    most = max(1, _BLOCK // len(units))
    is_own = num_units == len(units)
    for start in range(0, NUM_RESAMPLES, most):
        size = min(most, NUM_RESAMPLES - start)
        drawn = rng.integers(num_units, size=(size, num_units)) + num_units * np.arange(size)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * num_units).reshape(size, num_units).astype(np.float64)
        yield counts if is_own else counts[:, units]
