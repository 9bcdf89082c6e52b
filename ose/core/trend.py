"""Where learning curves are heading: whether a candidate gains on another one, step by step on the same batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, variance

from ose.core.significance import is_significant

_REACH = 2.0
"""What is gained from the middle third of the steps to the last, times this, is gained in twice as many steps again. A
fit over 27 students of inherited weights at 10, 30 and 100 steps gave 1.6, 2.4 and 2.8 (docs/TRUST.md)."""


def expected_gain_nats(own: Sequence[float], other: Sequence[float]) -> float:
    """How much closer one's loss comes to another's, or how much further below it, after three times the steps.

    Batches are drawn once for all candidates, so their losses are compared step by step: what makes a batch hard falls
    out. Zero unless it is clear, and if the curves cannot be compared.

    Args:
        own: The training loss of each step.
        other: The other one's, on the same batches with the same learning rates.
    """
    third = len(own) // 3
    if third < 2 or len(own) != len(other):
        return 0.0
    ahead = [theirs - mine for mine, theirs in zip(own, other, strict=True)]
    before, after = ahead[-2 * third : -third], ahead[-third:]
    gain = fmean(after) - fmean(before)
    stderr = math.sqrt((variance(before) + variance(after)) / third)
    return _REACH * gain if gain > 0 and is_significant(gain, stderr) else 0.0
