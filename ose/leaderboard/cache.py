"""Where a job's candidates stand among each other, kept in memory and up to date between questions.

A rank under any rule needs all candidates, and reading 100,000 of them takes most of a second. So a server reads
them once, and then asks the database only for what has changed since. Nothing that is told is older than the question:
what was read while a question waited answers that one too, so many who ask at once cost the database one look.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any

from ose.core.job import Job
from ose.core.objectives import teacher_measures
from ose.core.score import Measures, ScoreRule, score
from ose.core.trust import LEADERS
from ose.errors import EvaluationError
from ose.leaderboard.measures import MeasureTable
from ose.leaderboard.ranked_list import RankedList
from ose.leaderboard.ranking import bare_measures, num_behind_smallest
from ose.store.base import Store
from ose.store.pages import NO_LIMITS, CandidateLimits, Changes, Order, RowMeasures

_MAX_LISTS = 16
"""Orders of one job that are kept: a megabyte each for 100,000 candidates."""

_MAX_ANSWERS = 64
"""Answers of one job that are kept until something changes: 40 kilobytes each."""

_MOST_MOVED_ONE_BY_ONE = 500
"""So many changes at once, and lists are made anew: that takes as long."""

_MOST_LOOKED_THROUGH = 20_000

_VALUES = {"loss": "loss_nats", "latency": "latency_p50_ms", "parameters": "num_parameters", "candidate": "number"}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which candidates, in which order.

    Attributes:
        order: Best first.
        rule: What ranks them.
        limits: What was trained and is beyond them has no rank and is left out.
        front_only: Only those that no other one beats.
    """

    order: Order
    rule: ScoreRule
    limits: CandidateLimits = NO_LIMITS
    front_only: bool = False


class RankingCache:
    """One job's. Safe to use from several threads, which hold `lock` while they ask.

    Args:
        store: The database.
        job_id: The full id.

    Attributes:
        job_id: The job.
        answers: What was made of it, for when the same is asked again; emptied by any change.
    """

    def __init__(self, store: Store, job_id: str) -> None:
        self.lock = threading.Lock()
        self.answers: OrderedDict[object, Any] = OrderedDict()
        self._store, self.job_id = store, job_id
        self._looked_s = -inf
        self._job: Job | None = None
        self._mark: int | None = None
        self._figures = MeasureTable()
        self._lists: OrderedDict[View, RankedList] = OrderedDict()
        self._shown: tuple[object, ...] = ()
        self._teacher: Measures | None = None

    def refresh(self, asked_s: float) -> Job:
        """Take in what has changed, and return the job as it stands.

        Args:
            asked_s: By `time.monotonic`; what was read after it is not read again.
        """
        if self._job is None or self._looked_s < asked_s:
            looked_s = monotonic()
            self._job = self._store.job(self.job_id)
            self._take_job(self._job)
            self._take_in(self._store.changes(self.job_id, self._mark))
            self._looked_s = looked_s
        return self._job

    def remember(self, question: object, answer: Any) -> None:
        """Keep an answer until something changes."""
        self.answers[question] = answer
        if len(self.answers) > _MAX_ANSWERS:
            self.answers.popitem(last=False)

    @property
    def teacher(self) -> Measures | None:
        """What scores are made against; None while it is not measured."""
        return self._teacher

    def ordered(self, view: View) -> RankedList:
        """Candidates in order: `score` by falling score, the others by rising values; those without one come last."""
        found = self._lists.pop(view, None)
        if found is None:
            found = RankedList((self._key(view, each), each.number) for each in self._members(view))
        self._lists[view] = found
        if len(self._lists) > _MAX_LISTS:
            self._lists.popitem(last=False)
        return found

    def ranks(self, numbers: Sequence[int], rule: ScoreRule, limits: CandidateLimits) -> dict[int, int]:
        """From 1; without candidates that did not pass or are beyond the limits."""
        known = [figures for number in numbers if (figures := self._figures.get(number)) is not None]
        ranked = [each for each in known if _is_ranked(each, limits)]
        by_score = View(order="score", rule=rule, limits=limits)
        everyone = self.ordered(by_score)
        return {each.number: everyone.num_before(self._key(by_score, each), each.number) + 1 for each in ranked}

    def leaders(self, rule: ScoreRule, limits: CandidateLimits) -> tuple[RowMeasures, ...]:
        """Those of the first ranks, the best first."""
        first = self.ordered(View(order="score", rule=rule, limits=limits)).some(0, LEADERS)
        known = [figures for _, number in first if (figures := self._figures.get(number)) is not None]
        return tuple(each for each in known if _is_ranked(each, limits))

    def smallest_leads(self, rule: ScoreRule, limits: CandidateLimits) -> int:
        """As `Ranking` has it; not said of so many candidates that looking through them holds up a page."""
        leaders = self.leaders(rule, limits)
        if not leaders or len(self.ordered(View(order="score", rule=rule, limits=limits))) > _MOST_LOOKED_THROUGH:
            return 0
        return num_behind_smallest(leaders[0], [each for each in self._figures if _is_ranked(each, limits)])

    def is_on_front(self, number: int, limits: CandidateLimits) -> bool:
        """Whether no other one beats it. Whatever beats one within limits is within them too."""
        figures = self._figures.get(number)
        return figures is not None and number in self._figures.front and _is_ranked(figures, limits)

    def _members(self, view: View) -> Iterator[RowMeasures]:
        if view.front_only:
            known = (self._figures.get(number) for number in sorted(self._figures.front))
            return (each for each in known if each is not None and _is_ranked(each, view.limits))
        return (each for each in self._figures if _is_shown(each, view.limits))

    def _key(self, view: View, each: RowMeasures) -> float:
        if view.order == "score":
            return -self._score(each, view.rule) if _is_ranked(each, view.limits) else inf
        value: float | None = getattr(each, _VALUES[view.order])
        return inf if value is None else value

    def _score(self, each: RowMeasures, rule: ScoreRule) -> float:
        if self._teacher is None:
            raise EvaluationError(f"the teacher of job {self.job_id} has not been measured yet")
        return score(bare_measures(each), self._teacher, rule).value

    def _take_job(self, job: Job) -> None:
        shown = (job.status, job.teacher_latency, job.teacher_quality)
        if shown != self._shown:
            is_measured = job.teacher_latency is not None and job.teacher_quality is not None
            self._teacher = teacher_measures(job) if is_measured else None
            self._shown = shown
            self._lists.clear()
            self.answers.clear()

    def _take_in(self, changes: Changes) -> None:
        self._mark = changes.mark
        if not changes.figures:
            return
        self.answers.clear()
        moved = [(self._figures.get(each.number), each) for each in changes.figures]
        front = self._figures.front if self._lists and len(moved) <= _MOST_MOVED_ONE_BY_ONE else None
        self._figures.put(changes.figures)
        lists, self._lists = self._lists, OrderedDict()
        for view, ordered in lists.items():
            if front is None or (view.front_only and self._figures.front is not front):
                continue
            if not view.front_only:
                self._move(ordered, view, moved)
            self._lists[view] = ordered

    def _move(self, ordered: RankedList, view: View, moved: list[tuple[RowMeasures | None, RowMeasures]]) -> None:
        for before, after in moved:
            if before is not None and _is_shown(before, view.limits):
                ordered.remove(self._key(view, before), before.number)
            if _is_shown(after, view.limits):
                ordered.add(self._key(view, after), after.number)


def _is_ranked(each: RowMeasures, limits: CandidateLimits) -> bool:
    if not each.has_rank:
        return False
    bounds = (
        (each.latency_p50_ms, limits.max_latency_ms),
        (each.num_parameters, limits.max_parameters),
        (each.loss_nats, limits.max_loss_nats),
    )
    return all(most is None or (value is not None and value <= most) for value, most in bounds)


def _is_shown(each: RowMeasures, limits: CandidateLimits) -> bool:
    """CandidateLimits hide what was trained and is beyond them. A rejection by the job's own limits stays one."""
    return each.is_listed and (limits == NO_LIMITS or each.loss_nats is None or _is_ranked(each, limits))
