"""Is A better than B? One paired difference, one standard error and one threshold, for everything that has to say so.

All candidates of a job are judged on the same held-out sequences, so differences are taken sequence by sequence: what
makes a sequence hard is in both losses and falls out. Latencies are measured one by one, and their errors add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.measurement import mean_and_stderr
from ose.core.score import Measures, ScoreRule, latency_error, score, score_per_nat

SIGNIFICANT_STDERRS = 2.0
"""A difference is significant if it is more than this many of its standard errors: between equals that is seen 5 times
in 100. Nothing corrects for making many comparisons, nor for the best of many having been chosen for its score."""

_LARGE = 700.0
"""Its exponential is still a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """One model's loss minus another's, on the same sequences.

    Attributes:
        mean_nats: Above zero if the first one is worse.
        stderr_nats: Standard error of the mean over sequences, NaN of a single one. What makes a sequence hard is in
            both losses and falls out, so it is far smaller than that of either loss.
    """

    mean_nats: float
    stderr_nats: float

    @property
    def is_significant(self) -> bool:
        """Whether the two are told apart; never where the error is unknown."""
        return is_significant(self.mean_nats, self.stderr_nats)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """One candidate's score minus another's, with the standard error of that."""

    value: float
    stderr: float

    @property
    def is_significant(self) -> bool:
        """Whether the two are told apart; never where the error is unknown."""
        return is_significant(self.value, self.stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the scores of a job are relative to.

    Attributes:
        teacher: The maximum point T.
        rule: Formula and exponents.
        sequence_entropies_nats: The teacher's entropy on each held-out sequence. Empty where it was not stored: the
            formula `excess` then takes the entropy for exact, which makes its errors upper bounds.
    """

    teacher: Measures
    rule: ScoreRule
    sequence_entropies_nats: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A candidate as it is compared with others of its job.

    Attributes:
        architecture: Candidates of one shape share one measured latency, and so its error.
        measures: Its three objectives.
        sequence_losses_nats: The loss of each held-out sequence, the same sequences for all.
        scale: What it is scored against, the same for all.
    """

    architecture: Architecture
    measures: Measures
    sequence_losses_nats: tuple[float, ...]
    scale: Scale

    @property
    def score(self) -> float:
        """Its score."""
        return score(self.measures, self.scale.teacher, self.scale.rule).value


def is_significant(difference: float, stderr: float) -> bool:
    """Whether a difference is more than chance would make it; never where its standard error is NaN."""
    return abs(difference) > SIGNIFICANT_STDERRS * stderr


def paired_difference(first: Sequence[float], second: Sequence[float]) -> PairedDifference:
    """Compare the losses of two models, sequence by sequence.

    Args:
        first: One loss a sequence.
        second: The other model's, in the same order.
    """
    mean, stderr = mean_and_stderr([a - b for a, b in zip(first, second, strict=True)])
    return PairedDifference(mean_nats=mean, stderr_nats=stderr)


def score_difference(first: Judged, second: Judged) -> ScoreDifference:
    """Compare the scores of two candidates of a job.

    The errors of the losses are paired. Those of the latencies are taken where each candidate stands, and add up,
    unless both have the shape that was measured once.
    """
    a, b = (latency_error(each.measures, each.scale.teacher, each.scale.rule) for each in (first, second))
    of_latencies = abs(a - b) if first.architecture == second.architecture else math.hypot(a, b)
    return ScoreDifference(
        value=first.score - second.score, stderr=math.hypot(_stderr_of_losses(first, second), of_latencies)
    )


def _stderr_of_losses(first: Judged, second: Judged) -> float:
    """What another draw of sequences would do to a difference of scores.

    A score is no straight line in the loss, so two that score differently answer differently to a harder draw of
    sequences, though that turns no order. W^(-1/c) is a straight line and orders candidates as W does: its difference
    is taken sequence by sequence, and brought back to scores by what the two differ in.
    """
    slopes = _slope(first, second), _slope(second, first)
    if not any(slopes):  # neither score depends on its loss
        return 0.0
    return mean_and_stderr(
        [slopes[0] * a - slopes[1] * b for a, b in zip(_losses(first), _losses(second), strict=True)]
    )[1]


def _slope(own: Judged, other: Judged) -> float:
    """How much of its score a nat takes from a candidate, on the straight line to the other one's score."""
    local = score_per_nat(own.measures, own.scale.teacher, own.scale.rule)
    mine, others, exponent = own.score, other.score, own.scale.rule.exponents[2]
    if mine == others or 0.0 in (mine, others, exponent):
        return local
    ratio = math.log(others / mine)
    return local * abs(math.expm1(ratio)) / (exponent * abs(math.expm1(min(-ratio / exponent, _LARGE))))


def _losses(judged: Judged) -> Sequence[float]:
    """What the formula takes of each sequence: its loss, or how far that is from the teacher's entropy there."""
    entropies = judged.scale.sequence_entropies_nats
    if judged.scale.rule.formula != "excess" or not entropies:
        return judged.sequence_losses_nats
    return [loss - entropy for loss, entropy in zip(judged.sequence_losses_nats, entropies, strict=True)]
