"""Serve the queue: run jobs one after the other, for as long as there are any, or for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from ose.coordinator.coordinator import Coordinator
from ose.core.job import Job, JobStatus
from ose.core.shown import shown
from ose.errors import StoreError

POLL_S = 2.0
"""How long a new job waits for a coordinator that has nothing to do, and a lost database to be tried again."""


def serve_queue(
    coordinator: Coordinator,
    say: Callable[[str], None],
    work_meanwhile: Callable[[], bool] = lambda: False,
    *,
    until_empty: bool = False,
    poll_s: float = POLL_S,
) -> None:
    """Run queued jobs, one owner after the other, until the coordinator is told to stop.

    A database that cannot be reached is waited for.

    Args:
        coordinator: Runs the jobs. Any number of them, anywhere, may share one queue.
        say: Told in one line how each job ended.
        work_meanwhile: What else there is to do while no job waits; says whether there was any.
        until_empty: Also end when neither a job nor other work waits.
        poll_s: Time between looks.
    """
    while not coordinator.is_stopping:
        try:
            job = _serve_next(coordinator, say)
            was_handed_back = job is not None and job.status is JobStatus.PENDING
            if (job is not None and not was_handed_back) or work_meanwhile():
                continue
        except StoreError as error:
            say(f"{error}; trying again")
        else:
            if until_empty and job is None:
                return
        if not coordinator.is_stopping:
            time.sleep(poll_s)  # also after a job was handed back: another coordinator may do better


def _serve_next(coordinator: Coordinator, say: Callable[[str], None]) -> Job | None:
    job = coordinator.run_next()
    if job is not None:
        say(_ended(job))
    return job


def _ended(job: Job) -> str:
    if job.status is JobStatus.PENDING:
        return f"job {job.id} handed back"
    return f"job {job.id} {job.status.lower()}" + (f": {shown(job.failure.message)}" if job.failure else "")
