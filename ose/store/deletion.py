"""Jobs that are deleted, and the files that they leave, on SQL."""
# ruff: noqa: D102 - ose.store.service_base describes the methods

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Text, and_, delete, false, or_, select, text, type_coerce
from sqlalchemy.dialects import postgresql, sqlite

from ose.core.job import DistillationStatus, Job, JobStatus
from ose.core.leftovers import Leftover
from ose.errors import ConflictError, NotFoundError
from ose.store import rows
from ose.store.service_tables import EXPORTS, LEFTOVERS, SUBMISSIONS
from ose.store.tables import CANDIDATES, DISTILLATIONS, JOBS, REFERENCES, TRIALS
from ose.store.transactions import Transactions


class SqlDeletion:
    """The part of a Store that is about deleting jobs."""

    _transactions: Transactions

    def delete_job(self, job_id: str, leftovers: Sequence[Leftover], now: datetime) -> None:
        with self._transactions.write() as connection:
            _require_idle(connection, job_id)
            _require_no_distillation(connection, job_id, now)
            of_job = select(CANDIDATES.c.id).where(CANDIDATES.c.job_id == job_id)
            connection.execute(delete(TRIALS).where(TRIALS.c.candidate_id.in_(of_job)))
            for table in (EXPORTS, DISTILLATIONS, CANDIDATES, REFERENCES, SUBMISSIONS):
                connection.execute(delete(table).where(table.c.job_id == job_id))
            connection.execute(delete(JOBS).where(JOBS.c.id == job_id))
            for leftover in leftovers:
                _note(connection, leftover)

    def leftovers(self) -> list[Leftover]:
        with self._transactions.read() as connection:
            found = connection.execute(select(LEFTOVERS).order_by(LEFTOVERS.c.name))
            return [Leftover(**row._mapping) for row in found]

    @contextmanager
    def jobs_standing_still(self, teachers: Collection[str]) -> Iterator[list[Job]]:
        named = type_coerce(JOBS.c.teacher, Text)
        is_one_of = or_(false(), *(named.contains(teacher, autoescape=True) for teacher in teachers))
        query = rows.SELECT_JOBS.where(is_one_of)
        with self._transactions.write() as connection:
            if connection.dialect.name == "postgresql":  # SQLite has one writer at a time, and this is it
                connection.execute(text("LOCK TABLE jobs IN SHARE MODE"))
            yield [rows.to_job(row) for row in connection.execute(query)]

    def forget_leftovers(self, leftovers: Sequence[Leftover]) -> None:
        with self._transactions.write() as connection:
            for each in leftovers:
                is_same = and_(LEFTOVERS.c.name == each.name, LEFTOVERS.c.since == each.since)
                connection.execute(delete(LEFTOVERS).where(is_same))


def _require_idle(connection: Connection, job_id: str) -> None:
    """Nothing claims or cancels the job, and nothing is added to it, until the transaction ends."""
    status = connection.scalar(select(JOBS.c.status).where(JOBS.c.id == job_id).with_for_update())
    if status is None:
        raise NotFoundError(f"there is no job {job_id!r}; `ose job list` shows them")
    if status is JobStatus.RUNNING:
        raise ConflictError(f"job {job_id} is running; cancel it first")


def _require_no_distillation(connection: Connection, job_id: str, now: datetime) -> None:
    """One that a coordinator runs ends with a student, which must have a place. It has a lease for as long."""
    columns = DISTILLATIONS.c.id, DISTILLATIONS.c.status, DISTILLATIONS.c.lease_expires_at
    found = connection.execute(select(*columns).where(DISTILLATIONS.c.job_id == job_id).with_for_update())
    for row in found.all():
        is_held = row.lease_expires_at is not None and row.lease_expires_at >= now
        if row.status is DistillationStatus.RUNNING and is_held:
            raise ConflictError(f"distillation {row.id} of job {job_id} is running; delete the job when it has ended")


def _note(connection: Connection, leftover: Leftover) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    values = asdict(leftover)
    change = insert(LEFTOVERS).values(values)
    connection.execute(change.on_conflict_do_update(index_elements=["name"], set_={"since": leftover.since}))
