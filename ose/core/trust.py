"""How far a ranking can be trusted: what differs significantly from the best one, and how much of the order is noise.

Beside what learning curves show, none of this knows what more training, another seed or other text would change.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations

from ose.core.score import score
from ose.core.significance import Judged, ScoreDifference, paired_difference, score_difference
from ose.core.spec import Hyperparameters
from ose.core.trend import expected_gain_nats

LEADERS = 24
"""Candidates compared, from the best one on. Their raw losses are read for it, and a page must not cost more the larger
its job is."""

EXTENSION = 3
"""The hint asks for this many times the steps, so that the learning curves have time to part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """What is known of a candidate of the first ranks.

    Attributes:
        number: Its number in the job.
        judged: What it is compared by.
        phases: Steps at the end of each phase of its training.
        hyperparameters: It was trained with. Curves are compared only if these and the phases are equal.
        training_losses_nats: The loss of each step of the last phase; empty where curves say nothing.
    """

    number: int
    judged: Judged
    phases: tuple[int, ...]
    hyperparameters: Hyperparameters
    training_losses_nats: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """How far a candidate is from the best one.

    Attributes:
        loss_nats: Its loss less the best one's; below zero if it fills in better and scores less.
        loss_stderr_nats: Paired standard error of that.
        score: Its score less the best one's.
        score_stderr: Paired in the losses; the errors of two latencies are added.
        group: 1 for the best one and all that do not differ significantly from it; 2 for the first that does, and all
            of the rest that do not differ significantly from that one; and so on.
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
        extend_to_steps: Steps after which the choice may be another one; None if the best one's group is it alone, and
            none gains.
    """

    num_leaders: int
    num_not_apart: int
    num_gaining: int
    expected_tau: float | None
    num_steps: int
    extend_to_steps: int | None


def compare_leaders(leaders: Sequence[Leader]) -> tuple[Trust, dict[int, Distance]] | None:
    """Hold the best candidates against the best one, and against each other.

    Args:
        leaders: Best first, of one job and under one rule.

    Returns:
        What can be said of all, and each one's distance by its number. None where nothing can be: without a leader,
        or if fewer than two sequences were judged.
    """
    lengths = {len(each.judged.sequence_losses_nats) for each in leaders}
    if len(lengths) != 1 or min(lengths) < 2:
        return None

    @cache
    def difference(a: int, b: int) -> ScoreDifference:
        return score_difference(leaders[a].judged, leaders[b].judged)

    groups = _groups(len(leaders), difference)
    first_group = [each for each, group in zip(leaders, groups, strict=True) if group == 1]
    rest = [each for each, group in zip(leaders, groups, strict=True) if group != 1]
    num_gaining = sum(_may_pass(each, leaders[0]) for each in rest)
    num_steps = max(each.phases[-1] for each in first_group)
    trust = Trust(
        num_leaders=len(leaders),
        num_not_apart=len(first_group),
        num_gaining=num_gaining,
        expected_tau=_expected_tau(len(leaders), difference),
        num_steps=num_steps,
        extend_to_steps=EXTENSION * num_steps if len(first_group) + num_gaining > 1 else None,
    )
    distances = {
        each.number: _distance(each.judged, leaders[0].judged, difference(index, 0), groups[index])
        for index, each in enumerate(leaders)
    }
    return trust, distances


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


def _distance(judged: Judged, best: Judged, scores: ScoreDifference, group: int) -> Distance:
    losses = paired_difference(judged.sequence_losses_nats, best.sequence_losses_nats)
    return Distance(
        loss_nats=judged.measures.loss_nats - best.measures.loss_nats,
        loss_stderr_nats=losses.stderr_nats,
        score=scores.value,
        score_stderr=scores.stderr,
        group=group,
    )


def _groups(count: int, difference: Callable[[int, int], ScoreDifference]) -> list[int]:
    """The first without a group leads the next one, which takes in all that do not differ significantly from it."""
    groups = [0] * count
    while 0 in groups:
        first, group = groups.index(0), max(groups) + 1
        for index in range(first, count):
            if groups[index] == 0 and (index == first or not difference(index, first).is_significant):
                groups[index] = group
    return groups


def _may_pass(candidate: Leader, best: Leader) -> bool:
    """Whether its learning curve is heading below the loss that it needs to be ahead of the best one."""
    if (candidate.phases, candidate.hyperparameters) != (best.phases, best.hyperparameters):
        return False
    gain = expected_gain_nats(candidate.training_losses_nats, best.training_losses_nats)
    own, scale = candidate.judged.measures, candidate.judged.scale
    then = replace(own, loss_nats=own.loss_nats - gain)
    return gain > 0 and score(then, scale.teacher, scale.rule).value > best.judged.score


def _expected_tau(count: int, difference: Callable[[int, int], ScoreDifference]) -> float | None:
    """Pairs that are equal by what is exactly known have no order."""
    differences = [difference(b, a) for a, b in combinations(range(count), 2)]
    ordered = [(each.value, each.stderr) for each in differences if each.value or each.stderr]
    return expected_tau(ordered) if ordered else None
