"""Pages of candidates on SQL: read from one table, in the order of an index, however many there are."""
# ruff: noqa: D102 - ose.store.base describes the methods

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, true

from ose.core.job import CandidateStatus
from ose.store import rows
from ose.store.change_sequence import readers_mark
from ose.store.pages import (
    NO_LIMITS,
    CandidateLimits,
    CandidatePage,
    CandidateRow,
    Changes,
    LatencySummary,
    Order,
    Position,
    RowMeasures,
)
from ose.store.tables import CANDIDATES
from ose.store.transactions import Transactions

_VALUES = {
    "score": CANDIDATES.c.score,
    "loss": CANDIDATES.c.loss_nats,
    "latency": CANDIDATES.c.latency_p50_ms,
    "parameters": CANDIDATES.c.num_parameters,
    "candidate": CANDIDATES.c.number,
}
_HAS_PASSED = CANDIDATES.c.status == CandidateStatus.SUCCEEDED
_IS_LISTED = CANDIDATES.c.status != CandidateStatus.SUPERSEDED
_HAS_RANK = and_(_HAS_PASSED, CANDIDATES.c.latency_p50_ms.is_not(None))


class SqlPages:
    """The part of a Store that lists candidates."""

    _transactions: Transactions

    def candidate_page(
        self,
        job_id: str,
        *,
        order: Order = "score",
        limit: int = 50,
        after: Position | None = None,
        limits: CandidateLimits = NO_LIMITS,
    ) -> CandidatePage:
        found: list[Any] = []
        of_job = rows.SELECT_CANDIDATE_ROWS.where(CANDIDATES.c.job_id == job_id, _IS_LISTED, _is_within(limits))
        with self._transactions.read() as connection:
            for part in _parts(of_job, order, after):
                if len(found) <= limit:
                    found += connection.execute(part.limit(limit + 1 - len(found))).all()
        page = tuple(rows.to_candidate_row(row) for row in found[:limit])
        num_before = (after.num_before if after else 0) + len(page)
        has_more = len(found) > limit
        return CandidatePage(rows=page, end=_position(page[-1], order, num_before) if page and has_more else None)

    def candidate_rows(self, job_id: str, numbers: Sequence[int]) -> list[CandidateRow]:
        c = CANDIDATES.c
        query = rows.SELECT_CANDIDATE_ROWS.where(c.job_id == job_id, c.number.in_(numbers))
        with self._transactions.read() as connection:
            found = {row.number: row for row in connection.execute(query)}
        return [rows.to_candidate_row(found[number]) for number in numbers if number in found]

    def changes(self, job_id: str, since: int | None = None) -> Changes:
        c = CANDIDATES.c
        figures = (c.number, c.num_parameters, c.latency_p50_ms, c.loss_nats, _HAS_RANK, _IS_LISTED)
        query = select(*figures).where(c.job_id == job_id)
        if since is not None:
            query = query.where(c.changed >= since)
        with self._transactions.read() as connection:
            mark = connection.execute(select(readers_mark(literal(job_id)))).scalar_one()
            found = connection.execute(query)
            return Changes(mark=mark, figures=tuple(RowMeasures(*row) for row in found))

    def latency_summary(self, job_id: str) -> LatencySummary:
        c = CANDIDATES.c
        of_job = and_(c.job_id == job_id, c.latency_p50_ms.is_not(None), _IS_LISTED)
        flagged = func.coalesce(func.sum(case((c.latency_flagged, 1), else_=0)), 0)
        passed = select(c.number, c.latency_p50_ms).where(of_job, _HAS_PASSED)
        fastest = passed.order_by(c.latency_flagged, c.latency_p50_ms, c.number).limit(1)
        with self._transactions.read() as connection:
            num_measured, num_flagged = connection.execute(select(func.count(), flagged).where(of_job)).one()
            first = connection.execute(fastest).one_or_none()
        return LatencySummary(
            num_measured=num_measured, num_flagged=num_flagged, fastest=tuple(first) if first else None
        )

    def objectives(self, job_id: str, limits: CandidateLimits = NO_LIMITS) -> list[RowMeasures]:
        c = CANDIDATES.c
        query = select(c.number, c.num_parameters, c.latency_p50_ms, c.loss_nats, _HAS_RANK)
        passed = query.where(c.job_id == job_id, _HAS_RANK, _is_within(limits))
        with self._transactions.read() as connection:
            return sorted(RowMeasures(*row) for row in connection.execute(passed))


def _parts(of_job: Select[Any], order: Order, after: Position | None) -> list[Select[Any]]:
    """The rows that have the value, by it, and the rows that have not, by number: each in the order of an index."""
    value, number = _VALUES[order], CANDIDATES.c.number
    has_value = and_(_HAS_PASSED, value.is_not(None)) if order == "score" else value.is_not(None)
    valued = of_job.where(has_value).order_by(value.desc() if order == "score" else value, number)
    rest = of_job.where(~has_value).order_by(number)
    if after is None:
        return [valued, rest]
    if after.value is None:
        return [rest.where(number > after.number)]
    is_beyond = value < after.value if order == "score" else value > after.value
    # The first condition is the second's shadow, and what an index can begin at.
    begins = value <= after.value if order == "score" else value >= after.value
    return [valued.where(begins, or_(is_beyond, number > after.number)), rest]


def _is_within(limits: CandidateLimits) -> ColumnElement[bool]:
    bounds = [
        (CANDIDATES.c.latency_p50_ms, limits.max_latency_ms),
        (CANDIDATES.c.num_parameters, limits.max_parameters),
        (CANDIDATES.c.loss_nats, limits.max_loss_nats),
    ]
    asked = [column <= most for column, most in bounds if most is not None]
    return and_(_HAS_PASSED, *asked) if asked else true()


def _position(row: CandidateRow, order: Order, num_before: int) -> Position:
    values = {
        "score": row.score if row.status is CandidateStatus.SUCCEEDED else None,
        "loss": row.loss_nats,
        "latency": row.latency_p50_ms,
        "parameters": row.num_parameters,
        "candidate": row.number,
    }
    return Position(value=values[order], number=row.number, num_before=num_before)
