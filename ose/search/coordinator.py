"""Own a job from claim to end: one coordinator at a time, and a clean hand-over whatever happens."""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil

from ose.core.job import CandidateStatus, FailureReport, Job, JobStatus
from ose.errors import ConflictError, OseError
from ose.search.backend import Backend
from ose.search.job_run import JobInterruptedError, JobRun
from ose.search.progress import Progress
from ose.store.base import Store

LEASE_S = 30.0
"""A coordinator silent for this long is taken for dead."""

_HEARTBEAT_S = LEASE_S / 6


def utc_now() -> datetime:
    """The current time, aware of its zone."""
    return datetime.now(UTC)


class Coordinator:
    """Runs jobs on a backend and records everything in the store.

    Args:
        store: The truth.
        make_backend: Starts the workers that a job asks for.
        artifacts: Folder of search data, shared with the workers.
        progress: Told what happens.
        now: The clock.
    """

    def __init__(
        self,
        store: Store,
        make_backend: Callable[[Job], Backend],
        artifacts: Path,
        progress: Progress,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._make_backend = make_backend
        self._artifacts = artifacts
        self._progress = progress
        self._now = now
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.0f}"

    def run(self, job_id: str) -> Job:
        """Run a job to its end, from wherever it stands.

        Returns:
            The job as it ended: SUCCEEDED, FAILED (with the reason stored) or CANCELLED.

        Raises:
            ConflictError: The job has succeeded already, or a living coordinator holds it.
            KeyboardInterrupt: The job was handed back first, and can be resumed.
        """
        job = self._claim(job_id)
        with self._lease(job.id) as is_lost:
            try:
                backend = self._make_backend(job)
                try:
                    JobRun(self._store, backend, self._artifacts, self._progress, self._now, is_lost, job).run()
                finally:
                    backend.close()
            except JobInterruptedError:
                return self._store.job(job.id)
            except (KeyboardInterrupt, SystemExit):
                self._store.release_job(job.id, self.owner)
                raise
            except Exception as error:
                self._store.finish_job(job.id, self.owner, JobStatus.FAILED, self._now(), failure_report(error))
            else:
                self._finish(job.id)
        return self._store.job(job.id)

    def _claim(self, job_id: str) -> Job:
        job = self._store.job(job_id)
        if job.status is JobStatus.SUCCEEDED:
            raise ConflictError(f"job {job.id} has succeeded already; see `ose leaderboard {job.id}`")
        evict = job.lease_owner if job.lease_owner and _is_dead(job.lease_owner) else None
        claimed = self._store.claim_job(job.id, self.owner, self._now(), self._lease_end(), evict)
        if claimed is None:
            raise ConflictError(f"job {job.id} is being run by {job.lease_owner}; wait for it or stop it")
        return claimed

    def _finish(self, job_id: str) -> None:
        counts = self._store.count_candidates(job_id)
        if counts.get(CandidateStatus.SUCCEEDED):
            self._store.finish_job(job_id, self.owner, JobStatus.SUCCEEDED, self._now())
            return
        told = ", ".join(f"{count} {status}" for status, count in counts.items()) or "none listed"
        failure = FailureReport(code="no_candidate", message=f"no candidate passed ({told}); loosen the limits")
        self._store.finish_job(job_id, self.owner, JobStatus.FAILED, self._now(), failure)

    @contextmanager
    def _lease(self, job_id: str) -> Iterator[Callable[[], bool]]:
        """Renew the lease in the background; the yielded function says whether it was lost."""
        stop, lost = threading.Event(), threading.Event()

        def renew() -> None:
            while not stop.wait(_HEARTBEAT_S):
                if not self._store.renew_lease(job_id, self.owner, self._lease_end()):
                    lost.set()
                    return

        thread = threading.Thread(target=renew, name=f"lease-{job_id}", daemon=True)
        thread.start()
        try:
            yield lost.is_set
        finally:
            stop.set()
            thread.join()

    def _lease_end(self) -> datetime:
        return self._now() + timedelta(seconds=LEASE_S)


def failure_report(error: BaseException) -> FailureReport:
    """What is stored of an exception."""
    return FailureReport(
        code=getattr(error, "code", "error"),
        message=str(error) or type(error).__name__,
        traceback="".join(traceback.format_exception(error)) if not isinstance(error, OseError) else "",
        is_retryable=getattr(error, "is_retryable", False),
    )


def _is_dead(owner: str) -> bool:
    """Whether a coordinator of this machine has died; another machine's is only judged by its lease."""
    host, pid, created = owner.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        return f"{psutil.Process(int(pid)).create_time():.0f}" != created
    except psutil.NoSuchProcess:
        return True
