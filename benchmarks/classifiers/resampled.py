"""How sure differences of accuracies and agreements of orders are: both are told again on resamples of what they are of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ose.core.kendall import kendall_tau

RESAMPLES = 2_000
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure, and where 95 of 100 resamples have it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, value: float, resampled: Sequence[float]) -> Interval:
        """The percentiles of the resamples around a value."""
        low, high = np.nanpercentile(resampled, [2.5, 97.5])
        return cls(value, float(low), float(high))


class Grouped:
    """Hits of one model, a row for each seed, by the groups that items belong to.

    Args:
        hits: A string of 0 and 1 for each seed.
        groups: Of each item.
    """

    def __init__(self, hits: Sequence[str], groups: Sequence[str]) -> None:
        places = {name: place for place, name in enumerate(dict.fromkeys(groups))}
        index = np.array([places[name] for name in groups])
        self.sizes: Floats = np.bincount(index).astype(np.float64)
        values = np.array([np.frombuffer(each.encode(), dtype=np.uint8) - ord("0") for each in hits], dtype=np.float64)
        self.sums: Floats = np.array([np.bincount(index, weights=row) for row in values])

    def accuracy(self, weights: Floats | None = None, seeds: NDArray[Any] | None = None) -> float:
        """Of all items and seeds, or of a resample of both."""
        sums = (self.sums if seeds is None else self.sums[seeds]).mean(axis=0)
        weights = np.ones(len(self.sizes)) if weights is None else weights
        return float(sums @ weights / (self.sizes @ weights))


Cell = tuple[str, Grouped, Grouped]
"""The task, whose items all its cells share, and the two models that are compared."""


def mean_difference(cells: Sequence[Cell], seed: int = 0) -> Interval:
    """The accuracy of the first model less that of the second, mean over cells; groups and seeds are drawn anew."""
    generator = np.random.default_rng(seed)
    value = float(np.mean([one.accuracy() - other.accuracy() for _, one, other in cells]))
    drawn = []
    for _ in range(RESAMPLES):
        weights = {task: _weights(one, generator) for task, one, _ in cells}
        drawn.append(
            float(
                np.mean(
                    [
                        one.accuracy(weights[task], _seeds(one, generator))
                        - other.accuracy(weights[task], _seeds(other, generator))
                        for task, one, other in cells
                    ]
                )
            )
        )
    return Interval.of(value, drawn)


def ratio(own: Grouped, teacher: Grouped, floor: Grouped | None, seed: int = 0) -> Interval:
    """The share of the teacher's lead over a floor that a model has, NaN where it has none.

    Without a floor it is the share of its accuracy.
    """
    generator = np.random.default_rng(seed)

    def told(weights: Floats | None, seeds: NDArray[Any] | None) -> float:
        least = 0.0 if floor is None else floor.accuracy(weights)
        lead = teacher.accuracy(weights) - least
        return (own.accuracy(weights, seeds) - least) / lead if lead > 0 else math.nan

    drawn = [told(_weights(own, generator), _seeds(own, generator)) for _ in range(RESAMPLES)]
    value = told(None, None)
    return Interval(value, value, value) if math.isnan(value) else Interval.of(value, drawn)


def _weights(model: Grouped, generator: np.random.Generator) -> Floats:
    count = len(model.sizes)
    return generator.multinomial(count, np.full(count, 1 / count)).astype(np.float64)


def _seeds(model: Grouped, generator: np.random.Generator) -> NDArray[Any]:
    return generator.integers(0, len(model.sums), len(model.sums))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far a figure orders shapes as their full distillation does.

    Attributes:
        tau: Kendall's, with its interval.
        share_reaching: Of the resamples, those in which it is 0.9 at least.
    """

    tau: Interval
    share_reaching: float


def agreements(
    told: Mapping[str, Floats], truth: Floats, noise: float, aim: float = 0.9, seed: int = 0
) -> dict[str, Agreement]:
    """Kendall's tau of some figures; shapes and items are drawn anew, and the truth has another seed's noise.

    Args:
        told: By the figure's name (S, N) losses of shapes on items, or (S,) where it is not of items.
        truth: (S, N) losses after full distillation.
        noise: Standard deviation of a mean loss over seeds.
        aim: What the tau is to reach.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    num_shapes, num_items = truth.shape
    drawn: dict[str, list[float]] = {name: [] for name in told}
    for _ in range(RESAMPLES):
        shapes = generator.integers(0, num_shapes, num_shapes)
        weights = generator.multinomial(num_items, np.full(num_items, 1 / num_items)) / num_items
        final = (truth @ weights + noise * generator.standard_normal(num_shapes))[shapes]
        for name, losses in told.items():
            drawn[name].append(kendall_tau(_means(losses, weights)[shapes].tolist(), final.tolist()))
    even = np.full(num_items, 1 / num_items)
    return {
        name: Agreement(
            tau=Interval.of(kendall_tau(_means(losses, even).tolist(), (truth @ even).tolist()), drawn[name]),
            share_reaching=float(np.mean(np.array(drawn[name]) >= aim)),
        )
        for name, losses in told.items()
    }


def _means(losses: Floats, weights: Floats) -> Floats:
    return losses if losses.ndim == 1 else losses @ weights
