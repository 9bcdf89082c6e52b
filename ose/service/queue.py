"""Which job a free coordinator takes next."""

from __future__ import annotations

from datetime import datetime

from ose.core.job import Job, JobStatus
from ose.store.base import Store

_LOOK_BACK = 1000
"""A queue longer than this is served newest part first, which nobody has seen yet."""


def waiting_jobs(store: Store, now: datetime) -> list[Job]:
    """Jobs that wait for a coordinator, oldest first: queued ones, and running ones whose coordinator died."""
    return [job for job in reversed(store.jobs(_LOOK_BACK)) if _is_waiting(job, now)]


def _is_waiting(job: Job, now: datetime) -> bool:
    if job.status is JobStatus.RUNNING:
        return job.lease_expires_at is None or job.lease_expires_at < now
    return job.status is JobStatus.PENDING
