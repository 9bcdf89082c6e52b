"""Jobs and their leases on SQL."""
# ruff: noqa: D102 - ose.store.base describes the methods

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    Text,
    Update,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    or_,
    select,
    type_coerce,
    update,
)

from ose.core.access import JobQuota
from ose.core.job import CandidateStatus, FailureReport, Job, JobStatus, TrialStatus, UnreadableJob
from ose.core.measurement import TeacherQuality
from ose.errors import ConflictError, NotFoundError, UnreadableError
from ose.store import rows
from ose.store.columns import UtcTime
from ose.store.new_rows import NewJob
from ose.store.quotas import hold_owner, require_place_for_job
from ose.store.tables import CANDIDATES, JOBS, REFERENCES, TRIALS
from ose.store.transactions import Transactions, changes_one
from ose.store.turns import take_turn, turn_of, wait_for_turns


class SqlJobs:
    """The part of a Store that is about jobs."""

    _transactions: Transactions

    def add_job(self, job: NewJob, quota: JobQuota | None = None) -> Job:
        with self._transactions.write() as connection:
            hold_owner(connection, job.owner)
            require_place_for_job(connection, job.owner, quota)
            connection.execute(insert(JOBS).values(rows.from_job(job)))
            return read_job(connection, job.id)

    def job(self, job_id: str) -> Job:
        with self._transactions.read() as connection:
            with _naming(job_id):
                exact = connection.execute(rows.SELECT_JOBS.where(JOBS.c.id == job_id)).one_or_none()
            return rows.to_job(exact) if exact is not None else read_job(connection, _full_id(connection, job_id))

    def job_id(self, beginning: str) -> str:
        with self._transactions.read() as connection:
            exact: str | None = connection.scalar(select(JOBS.c.id).where(JOBS.c.id == beginning))
            return exact or _full_id(connection, beginning)

    def jobs(self, limit: int = 50, spec_hash: str | None = None, after: str | None = None) -> list[Job]:
        query = _newest(limit, after)
        if spec_hash is not None:
            query = query.where(JOBS.c.spec_hash == spec_hash)
        with self._transactions.read() as connection:
            return [each for each in _listed(connection, query) if isinstance(each, Job)]

    def listed_jobs(self, limit: int = 50, after: str | None = None) -> list[Job | UnreadableJob]:
        with self._transactions.read() as connection:
            return _listed(connection, _newest(limit, after))

    def count_candidates(self, job_id: str) -> dict[str, int]:
        status = as_stored(CANDIDATES.c.status)
        query = select(status, func.count()).where(CANDIDATES.c.job_id == job_id).group_by(status)
        with self._transactions.read() as connection:
            return {kind: count for kind, count in connection.execute(query)}

    def claim_job(
        self, job_id: str, owner: str, now: datetime, lease_expires_at: datetime, evict: str | None = None
    ) -> Job | None:
        is_free = or_(JOBS.c.status != JobStatus.RUNNING, _is_left({owner, evict or owner}, now))
        claim = _claim(owner, now, lease_expires_at).values(num_claims=1)
        claim = claim.where(JOBS.c.status != JobStatus.SUCCEEDED, is_free)
        with self._transactions.write() as connection:
            return _claimed(connection, claim, job_id)

    def lease_owners(self) -> set[str]:
        with self._transactions.read() as connection:
            return set(connection.scalars(select(JOBS.c.lease_owner).where(JOBS.c.status == JobStatus.RUNNING)))

    def claim_next_job(
        self, owner: str, now: datetime, lease_expires_at: datetime, evict: Collection[str] = ()
    ) -> Job | None:
        is_left = and_(JOBS.c.status == JobStatus.RUNNING, _is_left({owner, *evict}, now))
        waiting = select(JOBS.c.id, JOBS.c.owner).where(or_(JOBS.c.status == JobStatus.PENDING, is_left))
        in_turn = waiting.order_by(turn_of("jobs", JOBS.c.owner), JOBS.c.created_at, JOBS.c.id).limit(1)
        with self._transactions.write() as connection:
            wait_for_turns(connection, "jobs")
            again = case((JOBS.c.lease_owner == owner, JOBS.c.num_claims), else_=JOBS.c.num_claims + 1)
            claim = _claim(owner, now, lease_expires_at).values(num_claims=again)
            in_turn = in_turn.with_for_update(skip_locked=True, of=JOBS)
            while (first := connection.execute(in_turn).one_or_none()) is not None:
                take_turn(connection, "jobs", first.owner)
                try:
                    return _claimed(connection, claim, first.id)
                except UnreadableError as error:
                    connection.execute(_give_up(first.id, now, error))
            return None

    def renew_lease(self, job_id: str, owner: str, lease_expires_at: datetime) -> bool:
        renewal = update(JOBS).where(is_held(job_id, owner)).values(lease_expires_at=lease_expires_at)
        with self._transactions.write() as connection:
            return changes_one(connection, renewal)

    def finish_job(
        self, job_id: str, owner: str, status: JobStatus, now: datetime, failure: FailureReport | None = None
    ) -> bool:
        end = update(JOBS).values(status=status, finished_at=now, num_claims=0).values(rows.from_failure(failure))
        return self._let_go(job_id, end.where(is_held(job_id, owner)))

    def release_job(self, job_id: str, owner: str, *, is_spent: bool = False) -> bool:
        count = JOBS.c.num_claims if is_spent else 0
        release = update(JOBS).values(status=JobStatus.PENDING, num_claims=count)
        return self._let_go(job_id, release.where(is_held(job_id, owner)))

    def count_recorded(self, job_id: str) -> int:
        counts = func.count() + func.count(CANDIDATES.c.latency_id) + func.sum(CANDIDATES.c.num_attempts)
        ended = select(func.coalesce(counts, 0)).where(CANDIDATES.c.job_id == job_id)
        runs = select(func.count()).where(CANDIDATES.c.job_id == job_id, CANDIDATES.c.status == CandidateStatus.RUNNING)
        references = select(func.count()).where(REFERENCES.c.job_id == job_id)
        with self._transactions.read() as connection:
            made = int(connection.scalar(ended) or 0) + int(connection.scalar(references) or 0)
            return made - int(connection.scalar(runs) or 0)

    def note_recorded(self, job_id: str, owner: str, num_recorded: int) -> None:
        note = update(JOBS).where(is_held(job_id, owner)).values(num_claims=1, num_recorded=num_recorded)
        with self._transactions.write() as connection:
            connection.execute(note)

    def cancel_job(self, job_id: str, now: datetime) -> bool:
        is_open = JOBS.c.status.in_([JobStatus.PENDING, JobStatus.RUNNING])
        cancellation = update(JOBS).values(status=JobStatus.CANCELLED, finished_at=now, num_claims=0)
        return self._let_go(job_id, cancellation.where(JOBS.c.id == job_id, is_open))

    def _let_go(self, job_id: str, change: Update) -> bool:
        """Take a job from its owner. A job that is not RUNNING has no RUNNING trials."""
        with self._transactions.write() as connection:
            is_changed = changes_one(connection, change.values(lease_owner=None, lease_expires_at=None))
            if is_changed:
                _interrupt_trials(connection, job_id)
            return is_changed

    def record_teacher(
        self, job_id: str, owner: str, *, quality: TeacherQuality | None = None, latency_id: int | None = None
    ) -> None:
        values = {"teacher_quality": quality, "teacher_latency_id": latency_id}
        known = {name: value for name, value in values.items() if value is not None}
        with self._transactions.write() as connection:
            if known and not changes_one(connection, update(JOBS).where(is_held(job_id, owner)).values(known)):
                raise _not_held(job_id, owner)


def is_held(job_id: str | ColumnElement[str], owner: str | ColumnElement[str]) -> ColumnElement[bool]:
    """Whether `owner` is the job's coordinator."""
    return and_(JOBS.c.id == job_id, JOBS.c.status == JobStatus.RUNNING, JOBS.c.lease_owner == owner)


_HELD = (
    select(JOBS.c.id)
    .where(is_held(bindparam("of_job", type_=String), bindparam("by", type_=Text)))
    .with_for_update(read=True)
)


def hold_job(connection: Connection, job_id: str, owner: str) -> None:
    """See to it that `owner` holds the job until the transaction ends.

    SQLite's one writer needs no lock. PostgreSQL's, on the row, waits for a claim that is under way and keeps the
    next one waiting, but not the owner's other transactions.

    Raises:
        ConflictError: The job is not RUNNING under `owner`.
    """
    if connection.scalar(_HELD, {"of_job": job_id, "by": owner}) is None:
        raise _not_held(job_id, owner)


def keep_job_from_others(connection: Connection, job_id: str, owner: str) -> None:
    """See to it that no other than `owner` runs a job until the transaction ends.

    Raises:
        NotFoundError: There is no such job.
        ConflictError: Somebody else runs it.
    """
    query = select(JOBS.c.status, JOBS.c.lease_owner).where(JOBS.c.id == job_id).with_for_update()
    found = connection.execute(query).one_or_none()
    if found is None:
        raise NotFoundError(f"there is no job {job_id!r}; `ose job list` shows them")
    if found.status is JobStatus.RUNNING and found.lease_owner != owner:
        raise ConflictError(f"job {job_id} is being run by {found.lease_owner}")


def keep_job(connection: Connection, job_id: str) -> None:
    """See to it that a job is not deleted until the transaction ends.

    Raises:
        NotFoundError: It was.
    """
    if connection.scalar(select(JOBS.c.id).where(JOBS.c.id == job_id).with_for_update(read=True)) is None:
        raise NotFoundError(f"there is no job {job_id!r}; `ose job list` shows them")


def _not_held(job_id: str, owner: str) -> ConflictError:
    return ConflictError(f"job {job_id} is not, or no longer, run by {owner}")


def _is_left(owners: set[str], now: datetime) -> ColumnElement[bool]:
    """Whether a RUNNING job is free again: its lease has ended, or is one of these owners'."""
    return or_(JOBS.c.lease_owner.in_(owners), JOBS.c.lease_expires_at < now)


def _claim(owner: str, now: datetime, lease_expires_at: datetime) -> Update:
    return (
        update(JOBS)
        .values(status=JobStatus.RUNNING, lease_owner=owner, lease_expires_at=lease_expires_at)
        .values(started_at=func.coalesce(JOBS.c.started_at, literal(now, UtcTime)), finished_at=None)
        .values(rows.from_failure(None))
    )


def _claimed(connection: Connection, claim: Update, job_id: str) -> Job | None:
    if not changes_one(connection, claim.where(JOBS.c.id == job_id)):
        return None
    _interrupt_trials(connection, job_id)
    return read_job(connection, job_id)


def _give_up(job_id: str, now: datetime, error: UnreadableError) -> Update:
    """End a job that cannot be read, and so not be run."""
    failure = FailureReport(code=error.code, message=str(error))
    ended = {"status": JobStatus.FAILED, "finished_at": now, "lease_owner": None, "lease_expires_at": None}
    return update(JOBS).where(JOBS.c.id == job_id).values(**ended, **rows.from_failure(failure))


def read_job(connection: Connection, job_id: str) -> Job:
    """The job of a full id.

    Raises:
        UnreadableError: Its row is not what this OSE writes.
    """
    job = find_job(connection, job_id)
    assert job is not None
    return job


def find_job(connection: Connection, job_id: str) -> Job | None:
    """The job of a full id; None if there is none.

    Raises:
        UnreadableError: Its row is not what this OSE writes.
    """
    with _naming(job_id):
        row = connection.execute(rows.SELECT_JOBS.where(JOBS.c.id == job_id)).one_or_none()
        return None if row is None else rows.to_job(row)


def as_stored(status: ColumnElement[Any]) -> ColumnElement[str]:
    """A status as text, for counting: an unknown one is counted, too."""
    return type_coerce(status, String)


def _newest(limit: int, after: str | None) -> Select[Any]:
    query = rows.SELECT_JOBS.order_by(JOBS.c.created_at.desc(), JOBS.c.id).limit(limit)
    if after is None:
        return query
    last = select(JOBS.c.created_at).where(JOBS.c.id == after).scalar_subquery()
    return query.where(or_(JOBS.c.created_at < last, and_(JOBS.c.created_at == last, JOBS.c.id > after)))


def _listed(connection: Connection, query: Select[Any]) -> list[Job | UnreadableJob]:
    """All rows at once, or, if one of them cannot be read, each by itself."""
    try:
        return [rows.to_job(row) for row in connection.execute(query)]
    except UnreadableError:
        return [_read_or_named(connection, job_id) for job_id in connection.scalars(query.with_only_columns(JOBS.c.id))]


def _read_or_named(connection: Connection, job_id: str) -> Job | UnreadableJob:
    try:
        return read_job(connection, job_id)
    except UnreadableError as error:
        this = JOBS.c.id == job_id
        name: str = connection.execute(select(JOBS.c.name).where(this)).scalar_one()
        return UnreadableJob(id=job_id, name=name, created_at=_created_at(connection, job_id), reason=str(error))


def _created_at(connection: Connection, job_id: str) -> datetime | None:
    with suppress(UnreadableError):
        found: datetime | None = connection.scalar(select(JOBS.c.created_at).where(JOBS.c.id == job_id))
        return found
    return None


@contextmanager
def _naming(job_id: str) -> Iterator[None]:
    try:
        yield
    except UnreadableError as error:
        raise UnreadableError(f"job {job_id} cannot be read: {error}") from error


def _full_id(connection: Connection, beginning: str) -> str:
    begins_so = func.substr(JOBS.c.id, 1, len(beginning)) == beginning
    ids = list(connection.scalars(select(JOBS.c.id).where(begins_so).order_by(JOBS.c.id)))
    if not beginning or not ids:
        raise NotFoundError(f"there is no job {beginning!r}; `ose job list` shows them")
    if len(ids) > 1:
        raise NotFoundError(f"{len(ids)} jobs begin with {beginning!r}; give more of the id, such as {ids[0]}")
    return str(ids[0])


def _interrupt_trials(connection: Connection, job_id: str) -> None:
    """Undo the start of every trial that has no end: its candidate is PENDING and the attempt not counted."""
    of_job = TRIALS.c.candidate_id.in_(select(CANDIDATES.c.id).where(CANDIDATES.c.job_id == job_id))
    runs = and_(CANDIDATES.c.job_id == job_id, CANDIDATES.c.status == CandidateStatus.RUNNING)
    connection.execute(
        update(TRIALS).where(TRIALS.c.status == TrialStatus.RUNNING, of_job).values(status=TrialStatus.INTERRUPTED)
    )
    connection.execute(
        update(CANDIDATES)
        .where(runs)
        .values(status=CandidateStatus.PENDING, num_attempts=CANDIDATES.c.num_attempts - 1)
    )
