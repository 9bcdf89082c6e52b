"""A leaderboard in pages. Each names where the next begins, so rows that appear meanwhile are not shown twice."""

from __future__ import annotations

import base64
import json
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

from ose.errors import InvalidInputError
from ose.service.leaderboard import Leaderboard, LeaderboardQuery, LeaderboardRow, Order, read_leaderboard
from ose.store.base import Store

Place = tuple[bool, float, int]
"""Where a row stands in its order: rows without a value last, then by value, then by number."""

_VALUES = {"loss": "loss_nats", "latency": "latency_p50_ms", "parameters": "num_parameters", "candidate": "candidate"}


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

    Raises:
        NotFoundError: No such job.
        InvalidInputError: `after` is not what a page of the same order gave.
    """
    begin = None if after is None else _read(after, query.order_by)
    board = read_leaderboard(store, job_id, replace(query, limit=None))
    places = [_place(row, query.order_by) for row in board.rows]
    first = 0 if begin is None else bisect_right(places, begin)
    rows = board.rows[first : first + limit]
    num_more = len(board.rows) - first - len(rows)
    following = _text(query.order_by, places[first + len(rows) - 1]) if num_more else None
    return LeaderboardPage(board=replace(board, rows=rows, num_more=num_more), next=following)


def _place(row: LeaderboardRow, order: Order) -> Place:
    if order == "score":  # not the rank, which moves when better ones appear
        return row.rank is None, -(row.score or 0.0) if row.rank is not None else 0.0, row.candidate
    value = getattr(row, _VALUES[order])
    return value is None, 0.0 if value is None else value, row.candidate


def _text(order: Order, place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode().rstrip("=")


def _read(text: str, order: Order) -> Place:
    try:
        of, is_last, value, number = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        place = bool(is_last), float(value), int(number)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidInputError("after: is not what a page gave as its next") from error
    if of != order:
        raise InvalidInputError(f"after: belongs to another order; begin again with order_by={order}")
    return place
