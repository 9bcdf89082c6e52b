"""Serve the queue: run jobs one after the other, for as long as there are any, or for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from ose.core.job import Job, JobStatus
from ose.core.shown import shown
from ose.errors import StoreError
from ose.search.coordinator import Coordinator

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
    """Run queued jobs, oldest first, until the coordinator is told to stop.

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
            if _serve_next(coordinator, say) or work_meanwhile():
                continue
        except StoreError as error:
            say(f"{error}; trying again")
        else:
            if until_empty:
                return
        time.sleep(poll_s)


def _serve_next(coordinator: Coordinator, say: Callable[[str], None]) -> bool:
    job = coordinator.run_next()
    if job is not None:
        say(_ended(job))
    return job is not None


def _ended(job: Job) -> str:
    if job.status is JobStatus.PENDING:
        return f"job {job.id} handed back"
    return f"job {job.id} {job.status.lower()}" + (f": {shown(job.failure.message)}" if job.failure else "")
