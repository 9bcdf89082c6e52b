"""How far a ranking can be trusted: who is apart from the best one, and how much of the order is noise.

All candidates of a job are judged on the same held-out sequences, so differences are taken sequence by sequence: what
makes a sequence hard is in both losses and falls out. Latencies are measured one by one, and their errors add up.
Beside what learning curves show, none of this knows what more training, another seed or other text would change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from operator import mul

from ose.core.architecture import Architecture
from ose.core.score import Measures, ScoreRule, score, sensitivity
from ose.core.spec import Hyperparameters
from ose.core.trend import expected_gain_nats

LEADERS = 24
"""Candidates compared, from the best one on. Their raw losses are read for it, and a page must not cost more the larger
its job is."""

APART_STDERRS = 2.0
"""Two candidates are apart if their scores differ by more than this many standard errors of the difference."""

EXTENSION = 3
"""The hint asks for this many times the steps, so that the learning curves have time to part."""

_LARGE = 700.0
"""Its exponential is still a float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is known of a candidate with a rank.

    Attributes:
        number: Its number in the job.
        architecture: Candidates of one shape share one measured latency, and so its error.
        legs: Steps at the end of each leg of its training.
        hyperparameters: It was trained with. Curves are compared only if these and the legs are equal.
        sequence_losses_nats: The loss of each held-out sequence, the same sequences for all.
        training_losses_nats: The loss of each step of the last leg; empty where curves say nothing.
    """

    number: int
    architecture: Architecture
    measures: Measures
    legs: tuple[int, ...]
    hyperparameters: Hyperparameters
    sequence_losses_nats: tuple[float, ...]
    training_losses_nats: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a candidate is from the best one.

    Attributes:
        loss_nats: Its loss less the best one's; below zero if it fills in better and scores less.
        loss_stderr_nats: Paired standard error of that.
        score: Its score less the best one's.
        score_stderr: Paired in the losses; the errors of two latencies are added.
        group: 1 for the best one and all that are not apart from it; 2 for the first that is, and all of the rest
            that are not apart from that one; and so on.
    """

    loss_nats: float
    loss_stderr_nats: float
    score: float
    score_stderr: float
    group: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """How far to trust the order of the leaders.

    Attributes:
        num_leaders: Candidates that were compared, from the best one on.
        num_not_apart: Of them, those in the best one's group, itself included.
        expected_tau: Kendall's tau to expect between this order and one made on as many other held-out sequences
            and with latencies measured anew; None without two leaders that differ.
        num_gaining: Of the others, those whose learning curve falls so much faster than the best one's that they would
            have passed it by `extend_to_steps`, if both went on as they do.
        num_steps: The most that one of the best one's group was trained for.
        extend_to_steps: Steps after which the choice may be another one; None if the best one is apart, and none gains.
    """

    num_leaders: int
    num_not_apart: int
    num_gaining: int
    expected_tau: float | None
    num_steps: int
    extend_to_steps: int | None


def compare_leaders(
    leaders: Sequence[Judged], teacher: Measures, rule: ScoreRule
) -> tuple[Trust, dict[int, Distance]] | None:
    """Hold the best candidates against the best one, and against each other.

    Each comparison stands alone. With 2 standard errors, two candidates that are equally good are wrongly set apart 5
    times in 100; nothing corrects for making many comparisons, nor for the best one having been chosen for its score,
    which flatters it.

    Args:
        leaders: Best first.
        teacher: What they are scored against.
        rule: How.

    Returns:
        What can be said of all, and each one's distance by its number. None where nothing can be: without a leader,
        or if fewer than two sequences were judged.
    """
    lengths = {len(each.sequence_losses_nats) for each in leaders}
    if len(lengths) != 1 or min(lengths) < 2:
        return None
    table = _Table(leaders, teacher, rule)
    distances = _distances(leaders, table)
    first_group = [each for each in leaders if distances[each.number].group == 1]
    rest = [each for each in leaders if distances[each.number].group != 1]
    num_gaining = sum(_may_pass(each, leaders[0], teacher, rule) for each in rest)
    num_steps = max(each.legs[-1] for each in first_group)
    return Trust(
        num_leaders=len(leaders),
        num_not_apart=len(first_group),
        num_gaining=num_gaining,
        expected_tau=_expected_tau(table, len(leaders)),
        num_steps=num_steps,
        extend_to_steps=EXTENSION * num_steps if len(first_group) + num_gaining > 1 else None,
    ), distances


def expected_tau(differences: Sequence[tuple[float, float]]) -> float:
    """Kendall's tau to expect between two measurements of the same things, one of which has been made.

    A difference d that was seen with a standard error s comes out with the same sign again with a probability of
    Phi(d / (s sqrt 2)), were any true difference as likely as any other. They are not: where most candidates are equal,
    most of what is seen is noise. So differences are shrunk to B d, and a second measurement is expected at B d with a
    variance of (1 + B) s^2. B is the share of their spread that is not noise: 1 - 1 / mean((d / s)^2), because noise
    alone gives a mean of 1.

    Args:
        differences: Of each pair, with its standard error; not both may be zero.

    Source:
        Shrinkage as in Efron and Morris, "Data analysis using Stein's estimator" (1975), here with a spread that is a
        multiple of each pair's noise: one of the same size for all was tried, and noisy pairs hid what others know.
    """
    ratios = [abs(value) / stderr for value, stderr in differences if stderr > 0]
    square = math.fsum(ratio**2 for ratio in ratios) / max(1, len(ratios))
    kept = 1 - 1 / max(1.0, square)
    # The probability of the same sign, less that of the opposite one. A pair without noise keeps its order.
    agreements = [math.erf(kept * ratio / math.sqrt(2 * (1 + kept))) for ratio in ratios]
    return (math.fsum(agreements) + len(differences) - len(ratios)) / len(differences)


class _Table:
    """Scores of the leaders, and the standard error of any difference between two of them.

    A score is no straight line in the loss, so two that score differently answer differently to a harder draw of
    sequences, though that turns no order. What can turn it is seen where both score the same: the slopes of each pair
    are taken there. With equal parameters and latencies, scores are then as many standard errors apart as losses.
    """

    def __init__(self, leaders: Sequence[Judged], teacher: Measures, rule: ScoreRule) -> None:
        self._shapes = [each.architecture for each in leaders]
        self._loss_exponent = rule.exponents[2]
        self.scores = [score(each.measures, teacher, rule).value for each in leaders]
        slopes = [sensitivity(each.measures, teacher, rule) for each in leaders]
        self._per_nat = [slope.per_nat for slope in slopes]
        self._latency_errors = [
            slope.per_ms * each.measures.latency_stderr_ms for slope, each in zip(slopes, leaders, strict=True)
        ]
        self._covariances = _covariances([each.sequence_losses_nats for each in leaders])

    def loss_stderr_nats(self, a: int, b: int) -> float:
        return self._stderr(a, b, 1.0, 1.0)

    def score_stderr(self, a: int, b: int) -> float:
        weight_a, weight_b = self._weight(a, b), self._weight(b, a)
        of_losses = self._stderr(a, b, weight_a * self._per_nat[a], weight_b * self._per_nat[b])
        error_a, error_b = weight_a * self._latency_errors[a], weight_b * self._latency_errors[b]
        is_same_measurement = self._shapes[a] == self._shapes[b]
        return math.hypot(of_losses, error_a - error_b if is_same_measurement else math.hypot(error_a, error_b))

    def _stderr(self, a: int, b: int, factor_a: float, factor_b: float) -> float:
        """Of a difference between multiples of two losses."""
        own = factor_a**2 * self._covariances[a][a] + factor_b**2 * self._covariances[b][b]
        shared = 2 * factor_a * factor_b * self._covariances[max(a, b)][min(a, b)]
        return math.sqrt(max(0.0, own - shared))

    def _weight(self, own: int, other: int) -> float:
        """The slope where both score the same, as a multiple of the one where the first stands.

        W^(-1/c) is a straight line in the loss and orders candidates as W does. This is its slope, brought
        back to scores by what the two differ in.
        """
        score, others, exponent = self.scores[own], self.scores[other], self._loss_exponent
        if score == others or 0.0 in (score, others, exponent):
            return 1.0
        ratio = math.log(others / score)
        return abs(math.expm1(ratio)) / (exponent * abs(math.expm1(min(-ratio / exponent, _LARGE))))


def _covariances(samples: Sequence[Sequence[float]]) -> list[list[float]]:
    """Of the means of each two lists of equal length; the lower triangle."""
    count = len(samples[0])
    means = [math.fsum(values) / count for values in samples]
    centred = [[value - mean for value in values] for values, mean in zip(samples, means, strict=True)]
    divisor = count * (count - 1)
    return [[sum(map(mul, one, other)) / divisor for other in centred[: row + 1]] for row, one in enumerate(centred)]


def _distances(leaders: Sequence[Judged], table: _Table) -> dict[int, Distance]:
    groups = _groups(table, len(leaders))
    best = leaders[0].measures.loss_nats
    return {
        each.number: Distance(
            loss_nats=each.measures.loss_nats - best,
            loss_stderr_nats=table.loss_stderr_nats(index, 0),
            score=table.scores[index] - table.scores[0],
            score_stderr=table.score_stderr(index, 0),
            group=groups[index],
        )
        for index, each in enumerate(leaders)
    }


def _groups(table: _Table, count: int) -> list[int]:
    """The first without a group leads the next one, and takes in whoever is not apart from it."""
    groups = [0] * count
    while 0 in groups:
        first, group = groups.index(0), max(groups) + 1
        for index in range(first, count):
            if groups[index] == 0 and not _are_apart(table, first, index):
                groups[index] = group
    return groups


def _are_apart(table: _Table, a: int, b: int) -> bool:
    return abs(table.scores[a] - table.scores[b]) > APART_STDERRS * table.score_stderr(a, b)


def _may_pass(candidate: Judged, best: Judged, teacher: Measures, rule: ScoreRule) -> bool:
    """Whether its learning curve is heading below the loss that it needs to be ahead of the best one."""
    if (candidate.legs, candidate.hyperparameters) != (best.legs, best.hyperparameters):
        return False
    gain = expected_gain_nats(candidate.training_losses_nats, best.training_losses_nats)
    then = replace(candidate.measures, loss_nats=candidate.measures.loss_nats - gain)
    return gain > 0 and score(then, teacher, rule).value > score(best.measures, teacher, rule).value


def _expected_tau(table: _Table, count: int) -> float | None:
    """Pairs that are equal by what is exactly known have no order."""
    pairs = combinations(range(count), 2)
    differences = [(table.scores[a] - table.scores[b], table.score_stderr(a, b)) for a, b in pairs]
    ordered = [each for each in differences if any(each)]
    return expected_tau(ordered) if ordered else None
