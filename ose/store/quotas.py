"""How much of a token's may wait or be kept: counted in the transaction that adds to it."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Table, func, select

from ose.core.access import JobQuota
from ose.core.job import DistillationStatus, JobStatus
from ose.errors import QuotaError
from ose.limits import setting_of
from ose.store.service_tables import TOKENS
from ose.store.tables import DISTILLATIONS, JOBS


def hold_owner(connection: Connection, owner: str | None) -> None:
    """See to it that nothing else is added for an owner until the transaction ends. SQLite's one writer needs no lock.

    PostgreSQL's is on the token's row, which others may go on reading.
    """
    if owner is not None:
        connection.execute(select(TOKENS.c.id).where(TOKENS.c.id == owner).with_for_update())


def require_place_for_job(connection: Connection, owner: str | None, quota: JobQuota | None) -> None:
    """Let a job be added for an owner that is held. What this machine itself asks for has no quota.

    Raises:
        QuotaError: As many jobs of it wait or are kept as may.
    """
    if owner is None or quota is None:
        return
    require_place_in_queue(connection, owner, quota.max_queued)
    kept = _count(connection, JOBS, JOBS.c.owner == owner)
    if kept >= quota.max_kept:
        setting = setting_of("max_kept_jobs")
        raise QuotaError(f"token {owner} has {kept} jobs, as many as it may ({setting}); delete some")


def require_place_in_queue(connection: Connection, owner: str | None, most: int | None) -> None:
    """Let one more job of an owner that is held wait.

    Raises:
        QuotaError: As many of its jobs wait as may.
    """
    if owner is None or most is None:
        return
    queued = _count(connection, JOBS, JOBS.c.owner == owner, JOBS.c.status == JobStatus.PENDING)
    if queued >= most:
        raise QuotaError(
            f"{queued} jobs of token {owner} wait, as many as may ({setting_of('max_queued_jobs')}); "
            "wait until one has run, or cancel one"
        )


def require_place_for_distillation(connection: Connection, owner: str | None, most: int | None) -> None:
    """Let one more distillation wait for an owner that is held.

    Raises:
        QuotaError: As many of those that it has asked for wait as may.
    """
    if owner is None or most is None:
        return
    is_queued = DISTILLATIONS.c.status == DistillationStatus.PENDING
    queued = _count(connection, DISTILLATIONS, DISTILLATIONS.c.owner == owner, is_queued)
    if queued >= most:
        raise QuotaError(
            f"{queued} distillations of token {owner} wait, as many as may ({setting_of('max_queued_distillations')}); "
            "wait until one has run"
        )


def _count(connection: Connection, table: Table, *conditions: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(*conditions)).scalar_one()
