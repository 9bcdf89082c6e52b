"""Compare models that were judged on the same sequences, and orders of the same things."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """One model's loss minus another's, on the same sequences.

    Attributes:
        mean_nats: Above zero if the first one is worse.
        stderr_nats: Standard error of the mean over sequences. What makes a sequence hard is in both losses and
            falls out, so it is far smaller than that of either loss.
    """

    mean_nats: float
    stderr_nats: float


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Compare the losses of two models, sequence by sequence.

    Args:
        first: One loss a sequence.
        second: The other model's, in the same order.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    count = len(differences)
    mean = math.fsum(differences) / count
    if count < 2:
        return PairedDifference(mean_nats=mean, stderr_nats=math.nan)
    variance = math.fsum((each - mean) ** 2 for each in differences) / (count - 1)
    return PairedDifference(mean_nats=mean, stderr_nats=math.sqrt(variance / count))


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float:
    """How far two measures order the same things alike: 1 alike, -1 the other way round, NaN if one knows no order.

    Source:
        Kendall's tau-b: pairs in the same order less those in opposite order, as a share of the pairs that are
        not tied, geometric mean over the two.
    """
    signs = [(_sign(a[0] - b[0]), _sign(a[1] - b[1])) for a, b in combinations(zip(first, second, strict=True), 2)]
    untied = math.prod(sum(abs(sign[side]) for sign in signs) for side in (0, 1))
    return sum(one * other for one, other in signs) / math.sqrt(untied) if untied else math.nan


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
