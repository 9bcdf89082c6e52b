"""How far two measures order the same things alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations


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
