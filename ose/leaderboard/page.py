"""A leaderboard in pages. Each names where the next begins, so rows that appear meanwhile are not shown twice."""

from __future__ import annotations

import base64
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from math import inf
from time import monotonic
from typing import Any, TypeVar

from ose.core.job import Job
from ose.errors import InvalidInputError, NotFoundError
from ose.leaderboard.cache import RankingCache, View
from ose.leaderboard.confidence import NO_COMPARISON, Comparison, read_comparison
from ose.leaderboard.headlines import read_headlines
from ose.leaderboard.ranking import Ranking
from ose.leaderboard.read import Leaderboard, LeaderboardQuery, limits_of, to_board, to_row
from ose.leaderboard.references import ReferencePart, read_references
from ose.store.base import Store
from ose.store.pages import Order, Position

T = TypeVar("T")

_MAX_NUMBER = 2**31 - 1

_MAX_JOBS = 8
"""Jobs whose candidates are kept in memory: some 30 megabytes each for 100,000 candidates and some orders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardPage:
    """Some rows in order.

    Attributes:
        next: Hand it in as `after` to have the rows that follow; None when these were the last.
    """

    board: Leaderboard
    next: str | None

    def to_json(self) -> dict[str, Any]:
        """The leaderboard's JSON names, and `next`. Rows stay dataclasses, which the writers of JSON know."""
        board = self.board
        return {
            "job": board.job,
            "teacher": board.teacher,
            "trust": board.trust,
            "hint": board.hint,
            "headlines": board.headlines,
            "rows": board.rows,
            "num_more": board.num_more,
            **board.references_json(),
            "next": self.next,
        }


class LeaderboardPages:
    """Reads pages, and keeps in memory what they are made of. Safe to use from several threads.

    Args:
        store: The database.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rankings: OrderedDict[str, RankingCache] = OrderedDict()
        self._lock = threading.Lock()

    def read(
        self,
        job_id: str,
        asked: Callable[[Job], LeaderboardQuery],
        limit: int,
        after: str | None,
        write: Callable[[LeaderboardPage], T],
    ) -> T:
        """The next rows of a leaderboard, written down; what was written is kept until one of the rows may differ.

        Args:
            job_id: The id, or the beginning of it.
            asked: Which rows, in which order, given the job as it stands; the query's own limit does not count.
            limit: At most so many.
            after: The `next` of the page before; None begins.
            write: Makes of a page what is answered.

        Raises:
            NotFoundError: There is no such job.
            InvalidInputError: `after` is not what a page of the same order gave.
            EvaluationError: Candidates have passed and their teacher has not been measured.
        """
        asked_s = monotonic()
        ranking = self._ranking(job_id)
        with ranking.lock:
            job = self._refreshed(ranking, asked_s)
            query = asked(job)
            begin = None if after is None else _read(after, query.order_by)
            references = read_references(self._store, job)
            question = (query, limit, after, write, len(references.rows or ()))
            if question not in ranking.answers:
                ranking.remember(question, write(self._page(ranking, job, query, limit, begin, references)))
            answer: T = ranking.answers[question]
            return answer

    def _refreshed(self, ranking: RankingCache, asked_s: float) -> Job:
        try:
            return ranking.refresh(asked_s)
        except NotFoundError:  # it was deleted, and its figures need not be kept
            with self._lock:
                self._rankings.pop(ranking.job_id, None)
            raise

    def _ranking(self, job_id: str) -> RankingCache:
        if job_id not in self._rankings:  # or it is the beginning of one
            job_id = self._store.job(job_id).id
        with self._lock:
            found = self._rankings.pop(job_id, None) or RankingCache(self._store, job_id)
            self._rankings[job_id] = found
            if len(self._rankings) > _MAX_JOBS:
                self._rankings.popitem(last=False)
            return found

    def _page(
        self,
        ranking: RankingCache,
        job: Job,
        query: LeaderboardQuery,
        limit: int,
        begin: Position | None,
        references: ReferencePart,
    ) -> LeaderboardPage:
        rule, limits = query.rule or job.spec.score, limits_of(query)
        ordered = ranking.ordered(View(order=query.order_by, rule=rule, limits=limits, front_only=query.pareto))
        first = 0 if begin is None else ordered.num_before(_key(begin, query.order_by), begin.number + 1)
        shown = ordered.some(first, limit)
        numbers = [number for _, number in shown]
        local = Ranking(
            rule=rule,
            teacher=ranking.teacher,
            ranks=ranking.ranks(numbers, rule, limits),
            leaders=ranking.leaders(rule, limits),
            front=frozenset(number for number in numbers if ranking.is_on_front(number, limits)),
            smallest_leads=ranking.smallest_leads(rule, limits),
        )
        comparison = self._comparison(job, local, numbers)
        found = self._store.candidate_rows(job.id, numbers)
        rows = tuple(to_row(row, job, local, comparison, references) for row in found)
        num_more = len(ordered) - first - len(shown)
        following = _text(query.order_by, _end(*shown[-1], query.order_by, first + len(shown))) if num_more else None
        headlines = read_headlines(self._store, job, None if local.leaders else query.max_latency_ms)
        board = to_board(
            job, rule, rows, num_more, comparison.trust, references, local.smallest_leads, headlines=headlines
        )
        return LeaderboardPage(board=board, next=following)

    def _comparison(self, job: Job, ranking: Ranking, numbers: Sequence[int]) -> Comparison:
        """Raw losses are read for a page on which a leader stands, and for no other."""
        has_leader = not {each.number for each in ranking.leaders}.isdisjoint(numbers)
        return read_comparison(self._store, job, ranking) if has_leader else NO_COMPARISON


def _end(key: float, number: int, order: Order, num_before: int) -> Position:
    """Of a page that ends with this row. It holds no rank: that moves when better ones appear."""
    value = None if key == inf else -key if order == "score" else key
    return Position(value=value, number=number, num_before=num_before)


def _key(end: Position, order: Order) -> float:
    if end.value is None:
        return inf
    return -end.value if order == "score" else end.value


def _text(order: Order, end: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *astuple(end)]).encode()).decode().rstrip("=")


def _read(text: str, order: Order) -> Position:
    try:
        of, value, number, num_before = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        end = Position(value=None if value is None else float(value), number=int(number), num_before=int(num_before))
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidInputError("after: is not what a page gave as its next") from error
    if of != order:
        raise InvalidInputError(f"after: belongs to another order; begin again with order_by={order}")
    if not 0 <= end.number <= _MAX_NUMBER:
        raise InvalidInputError("after: is not what a page gave as its next")
    return end
