"""Where the candidates of a job stand among each other: ranks under any rule, and the Pareto front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ose.core.job import Job
from ose.core.objectives import teacher_measures
from ose.core.pareto import pareto_front
from ose.core.score import Measures, Score, ScoreRule, score
from ose.core.trust import LEADERS
from ose.leaderboard.measures import pareto_point
from ose.store.base import Store
from ose.store.pages import NO_LIMITS, CandidateLimits, CandidateRow, RowMeasures

_FEW_SIZES = 2
"""Of so few sizes the smallest is first by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What compares candidates that passed, and are within the limits.

    Attributes:
        rule: What ranks them.
        teacher: What they are scored against; None while there is nothing to score.
        ranks: By number, from 1.
        leaders: Those of the first ranks, the best first; their raw losses tell how far to trust the order.
        front: The numbers of those that no other one beats.
        smallest_leads: How many have passed, where the first is the smallest of them and others have a lower loss; 0
            where that is not so.
    """

    rule: ScoreRule
    teacher: Measures | None
    ranks: Mapping[int, int]
    leaders: tuple[RowMeasures, ...]
    front: frozenset[int]
    smallest_leads: int = 0

    def score(self, row: CandidateRow) -> Score | None:
        """A candidate's score under the rule; None if it has no rank."""
        if self.teacher is None or row.number not in self.ranks:
            return None
        return score(_measures(row), self.teacher, self.rule)


def read_ranking(store: Store, job: Job, rule: ScoreRule, limits: CandidateLimits = NO_LIMITS) -> Ranking:
    """Compare a job's candidates by three figures of each, whatever else is known of them.

    Raises:
        EvaluationError: Candidates have passed and their teacher has not been measured.
    """
    passed = store.objectives(job.id, limits)
    teacher = teacher_measures(job) if passed else None
    flags = pareto_front([pareto_point(each) for each in passed])
    best_first = [] if teacher is None else _best_first(passed, teacher, rule)
    return Ranking(
        rule=rule,
        teacher=teacher,
        ranks={each.number: rank for rank, each in enumerate(best_first, start=1)},
        leaders=tuple(best_first[:LEADERS]),
        front=frozenset(each.number for each, is_on_it in zip(passed, flags, strict=True) if is_on_it),
        smallest_leads=num_behind_smallest(best_first[0], passed) if best_first else 0,
    )


def num_behind_smallest(first: RowMeasures, passed: Sequence[RowMeasures]) -> int:
    """How many have passed, if a score puts the smallest of several sizes first, and others have a lower loss; or 0."""
    sizes = {each.num_parameters for each in passed}
    lowest = min((each.loss_nats for each in passed if each.loss_nats is not None), default=0.0)
    is_smallest = len(sizes) > _FEW_SIZES and first.num_parameters == min(sizes)
    return len(passed) if is_smallest and first.loss_nats is not None and first.loss_nats > lowest else 0


def _best_first(passed: list[RowMeasures], teacher: Measures, rule: ScoreRule) -> list[RowMeasures]:
    values = {each.number: score(bare_measures(each), teacher, rule).value for each in passed}
    return sorted(passed, key=lambda each: (-values[each.number], each.number))


def bare_measures(each: RowMeasures) -> Measures:
    """What a score's value depends on, of a candidate that passed. Spreads only make its own."""
    assert each.latency_p50_ms is not None and each.loss_nats is not None
    return Measures(num_parameters=each.num_parameters, latency_ms=each.latency_p50_ms, loss_nats=each.loss_nats)


def _measures(row: CandidateRow) -> Measures:
    assert row.latency_p50_ms is not None and row.loss_nats is not None
    return Measures(
        num_parameters=row.num_parameters,
        latency_ms=row.latency_p50_ms,
        loss_nats=row.loss_nats,
        latency_stderr_ms=_spread(row.latency_p50_stderr_ms),
        loss_stderr_nats=_spread(row.loss_stderr_nats),
        divergence_stderr_nats=row.divergence_stderr_nats,
    )


def _spread(stderr: float | None) -> float:
    """Of a single sequence it is unknown, and then that of the score is, too."""
    return float("nan") if stderr is None else stderr
