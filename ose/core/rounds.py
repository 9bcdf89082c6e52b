"""From the turns of a model and of a reference beside it to a ratio and a time, each with its standard error.

Most of what disturbs a machine hits a model and the reference of the same round alike, and falls out of their ratio.
The rest is left to the median over rounds and to its error, which says whether the ratio may be believed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SETTLED = 0.01
"""Rounds go on until the standard error of a ratio is no larger, as a share of it ..."""

NOISY = 0.02
"""... or the time is up. What is above this then is flagged."""

LEAST_SHARE = 0.5
"""So much of its turns must a thread have had the processor. With less its caches belong to others each time it comes
back, which makes small models up to a third slower and large ones not: a bias that no error shows."""

_BEST_SUPPORTED = 0.25
"""Times err to one side alone, so the lower quartile over rounds is nearer to the undisturbed one than the median. It
stays so as long as three in four are disturbed."""

_MEDIAN_ERROR, _QUARTILE_ERROR = 1.571, 1.708
"""Standard errors of median and quartile, in mean deviations over the root of the number of rounds, of normal noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Milliseconds of one call in the turn of each round, in order.

    Attributes:
        wall_ms: By the clock of the device.
        cpu_ms: The processor's, in the thread that called; None where the model does not compute in it alone.
        reference_wall_ms, reference_cpu_ms: Likewise, of the reference in the same rounds.
    """

    wall_ms: tuple[float, ...]
    cpu_ms: tuple[float, ...] | None
    reference_wall_ms: tuple[float, ...]
    reference_cpu_ms: tuple[float, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A figure with its standard error, in the same unit."""

    value: float
    stderr: float

    @property
    def relative(self) -> float:
        """The error as a share of the figure."""
        return self.stderr / self.value


def ratio_to_reference(rounds: Rounds) -> Estimate:
    """How long a model takes, in times of the reference: the median over rounds.

    Processor time counts where there is one. It leaves out what others took of the processor meanwhile, which on a busy
    host is most of what differs between two turns of one round.
    """
    own, reference = _counted(rounds)
    ratios = sorted(one / other for one, other in zip(own, reference, strict=True))
    middle = percentile(ratios, 0.5)
    return Estimate(value=middle, stderr=_MEDIAN_ERROR * _mean_error([abs(each - middle) for each in ratios]))


def best_supported(rounds: Rounds) -> Estimate:
    """What a call of the reference takes on the undisturbed machine, in ms, as far as these rounds tell."""
    times = sorted(_counted(rounds)[1])
    middle = percentile(times, 0.5)
    below = [middle - each for each in times if each <= middle]
    error = _QUARTILE_ERROR * _mean_error(below) * math.sqrt((len(below) - 1) / (len(times) - 1))
    return Estimate(value=percentile(times, _BEST_SUPPORTED), stderr=error)


def is_settled(rounds: Rounds) -> bool:
    """Whether more rounds are not needed."""
    errors = ratio_to_reference(rounds).relative, best_supported(rounds).relative
    return max(errors) <= SETTLED and not is_starved(rounds)


def is_starved(rounds: Rounds) -> bool:
    """Whether others had the processor for too long. It is not told where processor time is not known."""
    if rounds.cpu_ms is None or rounds.reference_cpu_ms is None:
        return False
    own = sum(rounds.cpu_ms) / sum(rounds.wall_ms), sum(rounds.reference_cpu_ms) / sum(rounds.reference_wall_ms)
    return min(own) < LEAST_SHARE


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of ascending values, between two of them in proportion."""
    position = share * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def _mean_error(deviations: Sequence[float]) -> float:
    """The mean deviation over the root of the number of rounds, less one that their middle takes.

    Quartiles of few rounds are close together by chance too often, and then say that a wild ratio is well known.
    """
    return math.fsum(deviations) / len(deviations) / math.sqrt(len(deviations) - 1)


def _counted(rounds: Rounds) -> tuple[Sequence[float], Sequence[float]]:
    if rounds.cpu_ms is None or rounds.reference_cpu_ms is None:
        return rounds.wall_ms, rounds.reference_wall_ms
    return rounds.cpu_ms, rounds.reference_cpu_ms
