"""What a shared service asks of jobs, on SQL: one job a submission, and numbers for its metrics."""
# ruff: noqa: D102 - ose.store.service_base describes the methods

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, func, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

from ose.core.access import JobQuota
from ose.core.job import FailureReport, Job, JobStatus
from ose.errors import ConflictError
from ose.store import rows
from ose.store.deletion import SqlDeletion
from ose.store.jobs import as_stored, find_job
from ose.store.new_rows import NewJob
from ose.store.quotas import hold_owner, require_place_for_job, require_place_in_queue
from ose.store.service_base import Submission
from ose.store.service_tables import SUBMISSIONS
from ose.store.students import SqlQueue
from ose.store.tables import CANDIDATES, JOBS
from ose.store.tokens import SqlTokens
from ose.store.transactions import Transactions, changes_one


class SqlService(SqlTokens, SqlQueue, SqlDeletion):
    """The part of a Store that only a shared service uses."""

    _transactions: Transactions

    def add_job_once(self, job: NewJob, submission: Submission, quota: JobQuota | None = None) -> Job:
        claim = insert(SUBMISSIONS).values(
            caller=submission.caller,
            key=submission.key,
            request_hash=submission.request_hash,
            job_id=job.id,
            created_at=job.created_at,
        )
        with self._transactions.write() as connection:
            hold_owner(connection, job.owner)
            known = _submitted(connection, submission)
            if known is not None:
                return known
            require_place_for_job(connection, job.owner, quota)
            try:
                with connection.begin_nested():  # another process may hold the key: then neither row is ours
                    connection.execute(insert(JOBS).values(rows.from_job(job)))
                    connection.execute(claim)
            except IntegrityError:
                pass
            found = _submitted(connection, submission)
        if found is None:
            raise ConflictError(f"the job of the key {submission.key!r} was deleted at this moment; ask again")
        return found

    def submitted_job(self, submission: Submission) -> Job | None:
        with self._transactions.read() as connection:
            return _submitted(connection, submission)

    def count_candidates_of(self, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        kinds = CANDIDATES.c.job_id, as_stored(CANDIDATES.c.status)
        query = select(*kinds, func.count()).where(CANDIDATES.c.job_id.in_(job_ids)).group_by(*kinds)
        counts: dict[str, dict[str, int]] = {}
        with self._transactions.read() as connection:
            for job_id, status, count in connection.execute(query):
                counts.setdefault(job_id, {})[status] = count
        return counts

    def job_statuses(self, job_ids: Sequence[str]) -> dict[str, tuple[JobStatus, FailureReport | None]]:
        known = as_stored(JOBS.c.status).in_(list(JobStatus))
        query = select(*(JOBS.c[name] for name in rows.STATUS_NAMES)).where(JOBS.c.id.in_(job_ids), known)
        with self._transactions.read() as connection:
            return {row.id: (row.status, rows.to_failure(row)) for row in connection.execute(query)}

    def requeue_job(self, job_id: str, max_queued: int | None = None) -> bool:
        has_stopped = and_(JOBS.c.id == job_id, JOBS.c.status.in_([JobStatus.FAILED, JobStatus.CANCELLED]))
        waiting = update(JOBS).values(status=JobStatus.PENDING, finished_at=None).values(rows.from_failure(None))
        with self._transactions.write() as connection:
            stopped = connection.execute(select(JOBS.c.owner).where(has_stopped)).one_or_none()
            if stopped is None:
                return False
            hold_owner(connection, stopped.owner)
            require_place_in_queue(connection, stopped.owner, max_queued)
            return changes_one(connection, waiting.where(has_stopped))

    def count_jobs(self) -> dict[str, int]:
        status = as_stored(JOBS.c.status)
        with self._transactions.read() as connection:
            return {kind: count for kind, count in connection.execute(select(status, func.count()).group_by(status))}

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
    return find_job(connection, row.job_id)  # it may have been deleted in between
