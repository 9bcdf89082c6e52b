"""Whose a job is, and who may stop or delete it."""

from __future__ import annotations

from ose.core.access import Caller, JobQuota
from ose.core.job import Job
from ose.errors import ForbiddenError
from ose.limits import operator_limits
from ose.store.base import Store


def changeable_job(store: Store, job_id: str, caller: Caller) -> Job:
    """Find a job that a caller may cancel, resume or delete.

    Args:
        store: The database.
        job_id: The id, or the beginning of it.
        caller: Who asks.

    Raises:
        NotFoundError: No such job.
        ForbiddenError: It is another's, and the caller is no administrator.
    """
    job = store.job(job_id)
    if not caller.may_change(job.owner):
        whose = "this service's own" if job.owner is None else f"token {job.owner.id}'s"
        raise ForbiddenError(f"job {job.id} is {whose}: only its owner or an administrator may do this")
    return job


def job_quota() -> JobQuota:
    """How many jobs a token may have, as the environment says now."""
    limits = operator_limits()
    return JobQuota(max_queued=limits.max_queued_jobs, max_kept=limits.max_kept_jobs)
