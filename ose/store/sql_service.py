"""What a shared service asks of jobs, on SQL: one job a submission, and numbers for its metrics."""
# ruff: noqa: D102 - ose.store.service_base describes the methods

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from ose.core.job import FailureReport, Job, JobStatus
from ose.errors import ConflictError
from ose.store import rows
from ose.store.base import NewJob
from ose.store.service_base import Submission
from ose.store.service_tables import SUBMISSIONS
from ose.store.sql_queue import SqlQueue
from ose.store.sql_tokens import SqlTokens
from ose.store.tables import CANDIDATES, JOBS
from ose.store.transactions import Transactions, changes_one


class SqlService(SqlTokens, SqlQueue):
    """The part of a Store that only a shared service uses."""

    _transactions: Transactions

    def add_job_once(self, job: NewJob, submission: Submission) -> Job:
        claim = insert(SUBMISSIONS).values(
            caller=submission.caller,
            key=submission.key,
            request_hash=submission.request_hash,
            job_id=job.id,
            created_at=job.created_at,
        )
        with self._transactions.write() as connection:
            try:
                with connection.begin_nested():  # another process may hold the key: then neither row is ours
                    connection.execute(insert(JOBS).values(rows.from_job(job)))
                    connection.execute(claim)
            except IntegrityError:
                pass
            found = _submitted(connection, submission)
            assert found is not None
            return found

    def submitted_job(self, submission: Submission) -> Job | None:
        with self._transactions.read() as connection:
            return _submitted(connection, submission)

    def count_candidates_of(self, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        query = select(CANDIDATES.c.job_id, CANDIDATES.c.status, func.count()).where(CANDIDATES.c.job_id.in_(job_ids))
        counts: dict[str, dict[str, int]] = {}
        with self._transactions.read() as connection:
            for job_id, status, count in connection.execute(query.group_by(CANDIDATES.c.job_id, CANDIDATES.c.status)):
                counts.setdefault(job_id, {})[str(status)] = count
        return counts

    def job_statuses(self, job_ids: Sequence[str]) -> dict[str, tuple[JobStatus, FailureReport | None]]:
        query = select(*(JOBS.c[name] for name in rows.STATUS_NAMES)).where(JOBS.c.id.in_(job_ids))
        with self._transactions.read() as connection:
            return {row.id: (row.status, rows.to_failure(row)) for row in connection.execute(query)}

    def requeue_job(self, job_id: str) -> bool:
        has_stopped = JOBS.c.status.in_([JobStatus.FAILED, JobStatus.CANCELLED])
        change = update(JOBS).where(JOBS.c.id == job_id, has_stopped)
        with self._transactions.write() as connection:
            waiting = change.values(status=JobStatus.PENDING, finished_at=None).values(rows.from_failure(None))
            return changes_one(connection, waiting)

    def count_jobs(self) -> dict[str, int]:
        with self._transactions.read() as connection:
            found = connection.execute(select(JOBS.c.status, func.count()).group_by(JOBS.c.status))
            return {str(status): count for status, count in found}

    def revision(self) -> str | None:
        with self._transactions.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return revision


def _submitted(connection: Connection, submission: Submission) -> Job | None:
    this = and_(SUBMISSIONS.c.caller == submission.caller, SUBMISSIONS.c.key == submission.key)
    row = connection.execute(select(SUBMISSIONS.c.request_hash, SUBMISSIONS.c.job_id).where(this)).one_or_none()
    if row is None:
        return None
    if row.request_hash != submission.request_hash:
        raise ConflictError(f"the key {submission.key!r} stands for another request; choose a new key")
    return rows.to_job(connection.execute(rows.SELECT_JOBS.where(JOBS.c.id == row.job_id)).one())
