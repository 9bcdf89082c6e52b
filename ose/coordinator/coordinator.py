"""Own a job from claim to end: one coordinator at a time, and a clean hand-over whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ose.coordinator.backend import Backend
from ose.coordinator.candidate_stage import run_wave
from ose.coordinator.checkpoints import Checkpoints
from ose.coordinator.data_stage import prepare_search_data
from ose.coordinator.getting_on import futility, num_recorded
from ose.coordinator.latency_stage import expect_latencies
from ose.coordinator.lease import LEASE_S, Lease
from ose.coordinator.owner import is_dead, new_owner
from ose.coordinator.reference_stage import make_references
from ose.coordinator.remeasure import doubtful_shapes, measure_again
from ose.coordinator.run_context import RunContext
from ose.core.failures import JobInterruptedError, failure_report
from ose.core.job import CandidateStatus, FailureReport, Job, JobStatus
from ose.core.progress import Progress
from ose.core.shown import shown
from ose.errors import (
    ConflictError,
    DependencyError,
    NotFoundError,
    OseError,
    StoreError,
    WorkerLostError,
    WorkerStartError,
)
from ose.store.base import Store
from ose.strategies.registry import build_strategy


class Coordinator:
    """Runs jobs on a backend and records everything in the store.

    Args:
        store: The truth.
        make_backend: Starts the workers that a job asks for.
        artifacts: Folder of search data and checkpoints, shared with the workers.
        progress: Told what happens.
        now: The clock; None takes the database's, which is the same for all coordinators.
        lease_s: How long it may be silent before others take the job over.
    """

    def __init__(
        self,
        store: Store,
        make_backend: Callable[[Job], Backend],
        artifacts: Path,
        progress: Progress,
        now: Callable[[], datetime] | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._store = store
        self._make_backend = make_backend
        self._artifacts = artifacts
        self._progress = progress
        self._now = now or store.now
        self._lease_s = lease_s
        self._is_stopping = False
        self.owner = new_owner()

    def run(self, job_id: str) -> Job:
        """Run a job to its end, from wherever it stands.

        Returns:
            The job as it ended: SUCCEEDED, FAILED (with the reason stored) or CANCELLED; or, if another
            coordinator took it over, as that one has it.

        Raises:
            ConflictError: The job has succeeded already, or a living coordinator holds it.
            KeyboardInterrupt: The job was handed back first, and can be resumed.
            StoreError: The database cannot be reached. The job stays ours until its lease ends.
        """
        return self._run(self._claim(job_id))

    def run_next(self) -> Job | None:
        """Run the job whose turn it is, as `run` does. None if none waits.

        A job that this coordinator left behind, when the database could not be reached, waits for it too; so does one
        whose coordinator has died on this machine, and need not be waited for.

        Raises:
            KeyboardInterrupt, StoreError: As `run`.
        """
        dead = {owner for owner in self._store.lease_owners() if is_dead(owner)}
        job = self._store.claim_next_job(self.owner, self._now(), self._lease_end(), dead)
        if job is None:
            return None
        self._progress.say(f"job {job.id} ({shown(job.name)})")
        if not self._is_worth_it(job):
            return self._store.job(job.id)
        return self._run(job)

    def _is_worth_it(self, job: Job) -> bool:
        """Whether a job that comes from the queue gets on at all; one that does not has failed now."""
        recorded = num_recorded(self._store, self._artifacts, job)
        failure = futility(job, recorded)
        if failure is not None:
            self._fail(job.id, failure)
        elif recorded > job.num_recorded:
            self._store.note_recorded(job.id, self.owner, recorded)
        return failure is None

    def remeasure(self, job_id: str) -> Job:
        """Measure latencies of a job that has ended again, where they are not to be believed.

        Raises:
            ConflictError: The job has not ended, or was measured on another device.
            EvaluationError: The teacher cannot be measured.
        """
        job = self._store.job(job_id)
        if not job.status.is_terminal:
            raise ConflictError(f"job {job.id} has not ended; `ose job resume {job.id}` measures again what it has to")
        if doubtful_shapes(job, self._store.candidates(job.id)) is not None:
            with closing(self._make_backend(job)) as backend:
                measure_again(self._context(job, backend, lambda: self._is_stopping))
        return self._store.job(job.id)

    def stop(self) -> None:
        """Have the job that runs handed back within seconds; a signal handler may call it."""
        self._is_stopping = True

    @property
    def is_stopping(self) -> bool:
        """Whether it was told to stop, and so will run nothing more."""
        return self._is_stopping

    def _run(self, job: Job) -> Job:
        with Lease(partial(self._store.renew_lease, job.id, self.owner), job.id, self._now, self._lease_s) as lease:
            scored = self._num_scored(job.id)
            try:
                self._work(job, lease)
            except (JobInterruptedError, ConflictError):
                self._store.release_job(job.id, self.owner)  # in case it is ours after all
            except (KeyboardInterrupt, SystemExit):
                self._store.release_job(job.id, self.owner)
                raise
            except StoreError:
                raise  # nothing is wrong with the job
            except WorkerStartError as error:
                self._hand_back(job, error)
            except (WorkerLostError, DependencyError) as error:
                self._hand_back_or_fail(job, error, scored)
            except Exception as error:
                self._fail(job.id, failure_report(error))
            else:
                self._finish(job.id)
        return self._as_it_ended(job)

    def _as_it_ended(self, job: Job) -> Job:
        """A job that is deleted under its coordinator was cancelled before."""
        try:
            return self._store.job(job.id)
        except NotFoundError:
            return replace(job, status=JobStatus.CANCELLED, lease_owner=None, lease_expires_at=None)

    def _claim(self, job_id: str) -> Job:
        job = self._store.job(job_id)
        if job.status is JobStatus.SUCCEEDED:
            raise ConflictError(f"job {job.id} has succeeded already; see `ose leaderboard {job.id}`")
        evict = job.lease_owner if job.lease_owner and is_dead(job.lease_owner) else None
        claimed = self._store.claim_job(job.id, self.owner, self._now(), self._lease_end(), evict)
        if claimed is None:
            holder = self._store.job(job.id).lease_owner
            raise ConflictError(f"job {job.id} is being run by {holder}; wait for it or stop it")
        return claimed

    def _lease_end(self) -> datetime:
        return self._now() + timedelta(seconds=self._lease_s)

    def _work(self, job: Job, lease: Lease) -> None:
        with closing(self._make_backend(job)) as backend:
            _run_stages(self._context(job, backend, lambda: self._is_stopping or lease.is_lost()))

    def _context(self, job: Job, backend: Backend, is_lost: Callable[[], bool]) -> RunContext:
        return RunContext(
            store=self._store,
            backend=backend,
            progress=self._progress,
            job=job,
            owner=self.owner,
            artifacts=self._artifacts,
            is_lost=is_lost,
            now=self._now,
        )

    def _hand_back(self, job: Job, error: WorkerStartError) -> None:
        """No worker started, which is not the job's fault: it may start elsewhere, or later."""
        self._progress.say(f"{error}; job {job.id} is handed back")
        self._store.release_job(job.id, self.owner, is_spent=True)

    def _hand_back_or_fail(self, job: Job, error: OseError, scored_before: int) -> None:
        """Workers may be lost with their machines. As long as a job gets on meanwhile, it is worth new ones."""
        if self._num_scored(job.id) > scored_before:
            self._progress.say(f"{error}; job {job.id} goes on with new workers")
            self._store.release_job(job.id, self.owner)
        else:
            self._fail(job.id, failure_report(error))

    def _num_scored(self, job_id: str) -> int:
        return self._store.count_candidates(job_id).get(CandidateStatus.SUCCEEDED, 0)

    def _fail(self, job_id: str, failure: FailureReport) -> None:
        self._store.finish_job(job_id, self.owner, JobStatus.FAILED, self._now(), failure)

    def _finish(self, job_id: str) -> None:
        if self._num_scored(job_id):
            self._store.finish_job(job_id, self.owner, JobStatus.SUCCEEDED, self._now())
        else:
            failure = FailureReport(code="no_candidate", message=self._why_none_passed(job_id))
            self._fail(job_id, failure)

    def _why_none_passed(self, job_id: str) -> str:
        candidates = self._store.candidates(job_id)
        failed = next((candidate for candidate in candidates if candidate.failure is not None), None)
        if failed is not None and failed.failure is not None:
            return f"no candidate passed; candidate {failed.number} failed: {failed.failure.message}"
        return f"no candidate passed: {len(candidates)} rejected; loosen the limits"


def _run_stages(context: RunContext) -> None:
    """Data and the teacher's targets, latencies, candidates until every one has ended, references.

    Each stage asks the store and the artifact folder what is there already, so running a job again after a crash is
    the same code as running it the first time.

    Raises:
        JobInterruptedError, ConflictError: The job is no longer ours.
        StageFailedError: The data or the teacher's targets could not be made.
        EvaluationError: The teacher's latency cannot be measured.
        WorkerLostError: No worker is left.
    """
    strategy = build_strategy(context.job.spec, context.job.teacher, context.check_lease)
    proposals = strategy.ask()
    expect_latencies(context, {proposal.architecture for proposal in proposals})
    quality = prepare_search_data(context)
    context.store.record_teacher(context.job.id, context.owner, quality=quality)
    _measure_doubtful_again(context)
    checkpoints = Checkpoints(context.checkpoint_folder, context.job)
    while proposals:
        run_wave(context.refreshed(), strategy, proposals, checkpoints)
        _record_study(context)
        proposals = strategy.ask()
    checkpoints.finish()
    make_references(context.refreshed())


def _measure_doubtful_again(context: RunContext) -> None:
    """What an earlier run of the job has left behind. Nothing is mixed where that was on another device."""
    try:
        measure_again(context.refreshed())
    except ConflictError as error:
        context.check_lease()
        context.progress.say(str(error))


def _record_study(context: RunContext) -> None:
    """Let others watch what optuna does. A copy that cannot be written is worth a line, not the job."""
    spec = context.job.spec
    if spec.search.strategy != "optuna" or spec.extends is not None:
        return
    from ose.strategies.study_record import record_study  # optuna takes a second to load

    try:
        record_study(context.store, context.job)
    except StoreError as error:
        context.progress.say(str(error))
