"""A leaderboard in pages. Each names where the next begins, so rows that appear meanwhile are not shown twice."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from dataclasses import astuple, dataclass, replace
from typing import Any

from ose.core.job import Job
from ose.errors import InvalidInputError
from ose.service.leaderboard import (
    Leaderboard,
    LeaderboardQuery,
    LeaderboardRow,
    limits_of,
    read_leaderboard,
    to_board,
    to_row,
)
from ose.service.standing import Standing, read_standing
from ose.service.trust import NO_COMPARISON, Comparison, read_comparison
from ose.store.base import Store
from ose.store.pages import NO_LIMITS, CandidatePage, Order, Position

_VALUES = {"loss": "loss_nats", "latency": "latency_p50_ms", "parameters": "num_parameters", "candidate": "candidate"}
_MAX_NUMBER = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardPage:
    """Some rows in order.

    Attributes:
        next: Hand it in as `after` to have the rows that follow; None when these were the last.
    """

    board: Leaderboard
    next: str | None

    def to_json(self) -> dict[str, Any]:
        """The leaderboard's JSON names, and `next`."""
        return {**self.board.to_json(), "next": self.next}


def read_page(
    store: Store, job_id: str, query: LeaderboardQuery, limit: int, after: str | None = None
) -> LeaderboardPage:
    """The next rows of a leaderboard.

    Only the rows of the page are read if it follows an order that is stored. Another rule's order, the Pareto front
    and limits, which keep what was never trained, are made of all rows.

    Raises:
        NotFoundError: No such job.
        InvalidInputError: `after` is not what a page of the same order gave.
    """
    begin = None if after is None else _read(after, query.order_by)
    job = store.job(job_id)
    if _is_stored(query, job):
        return _stored_page(store, job, query, limit, begin)
    return _made_page(store, job, query, limit, begin)


def _is_stored(query: LeaderboardQuery, job: Job) -> bool:
    is_own_rule = query.rule in (None, job.spec.score)
    return not query.pareto and limits_of(query) == NO_LIMITS and (is_own_rule or query.order_by != "score")


def _stored_page(
    store: Store, job: Job, query: LeaderboardQuery, limit: int, begin: Position | None
) -> LeaderboardPage:
    standing = read_standing(store, job, query.rule or job.spec.score)
    page = store.candidate_page(job.id, order=query.order_by, limit=limit, after=begin)
    comparison = _comparison(store, job, standing, page)
    rows = tuple(to_row(row, job, standing, comparison) for row in page.rows)
    num_more = 0 if page.end is None else _num_more(store, job, page.end)
    board = to_board(job, standing.rule, rows, num_more, comparison.trust)
    return LeaderboardPage(board=board, next=_text(query.order_by, page.end) if page.end else None)


def _comparison(store: Store, job: Job, standing: Standing, page: CandidatePage) -> Comparison:
    """Raw losses are read for a page on which a leader stands, and for no other."""
    has_leader = not {row.number for row in page.rows}.isdisjoint(each.number for each in standing.leaders)
    return read_comparison(store, job, standing) if has_leader else NO_COMPARISON


def _num_more(store: Store, job: Job, end: Position) -> int:
    return max(1, sum(store.count_candidates(job.id).values()) - end.num_before)


def _made_page(store: Store, job: Job, query: LeaderboardQuery, limit: int, begin: Position | None) -> LeaderboardPage:
    board = read_leaderboard(store, job.id, replace(query, limit=None))
    ends = [_end(row, query.order_by, number) for number, row in enumerate(board.rows, start=1)]
    first = (
        0 if begin is None else bisect_right(ends, _key(begin, query.order_by), key=lambda e: _key(e, query.order_by))
    )
    rows = board.rows[first : first + limit]
    num_more = len(board.rows) - first - len(rows)
    following = _text(query.order_by, ends[first + len(rows) - 1]) if num_more else None
    return LeaderboardPage(board=replace(board, rows=rows, num_more=num_more), next=following)


def _end(row: LeaderboardRow, order: Order, num_before: int) -> Position:
    """Of a page that ends with this row. It holds no rank: that moves when better ones appear."""
    value = row.score if order == "score" else getattr(row, _VALUES[order])
    return Position(value=value, number=row.candidate, num_before=num_before)


def _key(end: Position, order: Order) -> tuple[bool, float, int]:
    value = 0.0 if end.value is None else end.value
    return end.value is None, -value if order == "score" else value, end.number


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
