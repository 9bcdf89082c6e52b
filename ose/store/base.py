"""What OSE asks of a database. The database is the truth: processes come and go, these rows stay.

Every method is one transaction. A method that changes a state checks it in the same transaction, so two
processes that race for a job or a trial cannot both win. Implementations are safe to use from several
threads and processes; times are aware, come back as UTC, and are passed in, so that tests own the clock.

What belongs to a running job is changed by its owner alone: those methods take the owner's name, and a coordinator
that has lost its job without knowing changes nothing.

Two rules hold at every moment: a candidate is RUNNING exactly as long as one trial of it is, and a job that is not
RUNNING has no RUNNING trial.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ose.core.access import JobQuota
from ose.core.job import (
    Candidate,
    Distillation,
    DistillationResult,
    FailureReport,
    Job,
    JobStatus,
    Trial,
    UnreadableJob,
)
from ose.core.measurement import Evaluation, LatencyMeasurement, TeacherQuality
from ose.core.recipe import DistillationSpec
from ose.core.reference import Reference
from ose.core.score import Score
from ose.store.new_rows import NewCandidate, NewJob, NewLatency
from ose.store.pages_base import PageStore
from ose.store.service_base import ServiceStore


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLatency:
    """A latency with the id that candidates refer to."""

    id: int
    measurement: LatencyMeasurement


class Store(PageStore, ServiceStore, Protocol):
    """Jobs, candidates, trials, latencies and distillations, and what a shared service adds to them.

    Raises:
        StoreError: The database cannot be reached, read or written (any method).
    """

    def now(self) -> datetime:
        """The database's clock. Machines disagree on the time, so this one alone is held against leases."""

    # Jobs

    def add_job(self, job: NewJob, quota: JobQuota | None = None) -> Job:
        """Store a job as PENDING.

        Raises:
            QuotaError: Its owner has as many jobs as it may.
        """

    def job(self, job_id: str) -> Job:
        """Find a job by its id or by an unambiguous beginning of it.

        Raises:
            NotFoundError: No job, or more than one, answers to `job_id`.
            UnreadableError: Its row is not what this OSE writes.
        """

    def jobs(self, limit: int = 50, spec_hash: str | None = None, after: str | None = None) -> list[Job]:
        """The newest jobs that can be read, or those of one spec, newest first.

        Args:
            limit: At most so many rows.
            spec_hash: Only jobs of this spec.
            after: The full id of the last job of the page before.
        """

    def listed_jobs(self, limit: int = 50, after: str | None = None) -> list[Job | UnreadableJob]:
        """The newest jobs, newest first; a row that cannot be read has its place among the others.

        Args:
            limit: At most so many.
            after: The full id of the last one of the page before.
        """

    def job_id(self, beginning: str) -> str:
        """The full id of a job, whether or not its row can be read.

        Raises:
            NotFoundError: No job, or more than one, answers to `beginning`.
        """

    def count_candidates(self, job_id: str) -> dict[str, int]:
        """Number of candidates by status; statuses without a candidate are left out."""

    def claim_job(
        self, job_id: str, owner: str, now: datetime, lease_expires_at: datetime, evict: str | None = None
    ) -> Job | None:
        """Make `owner` the job's only coordinator, or return None if another one holds it.

        A job can be claimed unless it SUCCEEDED or is RUNNING under another owner's unexpired lease.
        The claim makes it RUNNING, clears its failure, and puts back what the last owner left half
        done: its RUNNING trials become INTERRUPTED and their candidates PENDING. Somebody wants it, so claims are
        counted anew: this is the first.

        Args:
            job_id: The full id.
            owner: Names the claiming process.
            now: Leases that ended before this moment do not count.
            lease_expires_at: End of the new lease.
            evict: An owner known to be dead, whose lease does not count either.
        """

    def claim_next_job(
        self, owner: str, now: datetime, lease_expires_at: datetime, evict: Collection[str] = ()
    ) -> Job | None:
        """Claim the job whose turn it is, as `claim_job` does, or return None if none waits.

        Owners take turns: the one whose last job was claimed here longest ago comes first, with the oldest of its jobs.
        One whose row cannot be read is FAILED instead, so that it holds up none behind it.

        A job waits if it is PENDING, or RUNNING under a lease that has ended, under `owner`, which has left it behind,
        or under one of `evict`, who are known to be dead. Owners that ask at the same moment get different jobs. The
        claim is counted, unless `owner` only takes up again what it has left.
        """

    def lease_owners(self) -> set[str]:
        """Who holds jobs that are RUNNING."""

    def renew_lease(self, job_id: str, owner: str, lease_expires_at: datetime) -> bool:
        """Extend the lease. False if the job is no longer RUNNING under `owner`: stop working on it."""

    def finish_job(
        self, job_id: str, owner: str, status: JobStatus, now: datetime, failure: FailureReport | None = None
    ) -> bool:
        """End a job that `owner` holds and release it. False if `owner` does not hold it.

        Trials still RUNNING become INTERRUPTED and their candidates PENDING.
        """

    def release_job(self, job_id: str, owner: str, *, is_spent: bool = False) -> bool:
        """Give a RUNNING job back as PENDING, with its RUNNING trials INTERRUPTED, for anyone to go on.

        Its claim is forgotten, unless it `is_spent`: then it counts like that of a coordinator that has died.
        """

    def count_recorded(self, job_id: str) -> int:
        """How much is stored of a job: candidates, latencies, trials that have ended, references. It never falls."""

    def note_recorded(self, job_id: str, owner: str, num_recorded: int) -> None:
        """Note that a job has got on, and how far: the claim that `owner` has is the first since then."""

    def cancel_job(self, job_id: str, now: datetime) -> bool:
        """Make a PENDING or RUNNING job CANCELLED. False if it has ended already.

        Its owner loses the lease; its RUNNING trials become INTERRUPTED and their candidates PENDING.
        """

    def record_teacher(
        self, job_id: str, owner: str, *, quality: TeacherQuality | None = None, latency_id: int | None = None
    ) -> None:
        """Store what was measured of the job's teacher; None leaves a value as it is.

        Raises:
            ConflictError: `owner` does not hold the job.
        """

    # Candidates

    def add_candidates(self, job_id: str, owner: str, candidates: Sequence[NewCandidate]) -> list[Candidate]:
        """Store candidates as PENDING and return them as stored, in the order given.

        Numbers that the job already has are left as they are, so the call can be repeated.

        Raises:
            ConflictError: `owner` does not hold the job.
        """

    def candidates(self, job_id: str, numbers: Sequence[int] | None = None) -> list[Candidate]:
        """All candidates of a job by number, or those of a few numbers, with latency and scored trial's evaluation."""

    def candidate(self, job_id: str, number: int) -> Candidate:
        """One candidate.

        Raises:
            NotFoundError: The job has no such number.
        """

    def reject_candidate(self, job_id: str, owner: str, candidate_id: int, reason: str) -> None:
        """Make a PENDING candidate REJECTED.

        Raises:
            ConflictError: `owner` does not hold the job.
        """

    def attach_latency(self, job_id: str, owner: str, candidate_ids: Sequence[int], latency_id: int) -> None:
        """Say which measured latency is these candidates'.

        Raises:
            ConflictError: `owner` does not hold the job.
        """

    def replace_latencies(
        self, job_id: str, owner: str, changes: Sequence[NewLatency], teacher_latency_id: int | None = None
    ) -> None:
        """Give candidates of whatever status other latencies, and the scores that follow; and the teacher another one.

        Raises:
            NotFoundError: There is no such job.
            ConflictError: The job is RUNNING under somebody else than `owner`.
        """

    # Trials

    def open_trial(
        self, job_id: str, owner: str, candidate_id: int, trial_id: str, worker: str, now: datetime
    ) -> Trial:
        """Start an attempt: the trial is RUNNING, and so is its candidate, whose attempts go up by one.

        Interrupted trials do not count as attempts. The trial's id stands for the claim under which it was opened:
        it is RUNNING until it has ended or the job was taken from `owner`.

        Raises:
            ConflictError: `owner` does not hold the job, or the candidate is not PENDING.
        """

    def record_success(
        self, trial_id: str, evaluation: Evaluation, score: Score | None, now: datetime, rejection: str | None = None
    ) -> bool:
        """End a trial with its evaluation; the candidate becomes SUCCEEDED, or REJECTED with a reason.

        One that SUCCEEDED makes the candidate that it `continues` SUPERSEDED.

        Idempotent: False, and nothing changes, unless the trial is RUNNING. So no candidate has two
        results.
        """

    def record_failure(self, trial_id: str, failure: FailureReport, now: datetime, *, is_final: bool) -> bool:
        """End a RUNNING trial as FAILED; the candidate becomes FAILED if `is_final`, else PENDING again.

        Idempotent: False, and nothing changes, unless the trial is RUNNING.
        """

    def trials(self, job_id: str, number: int) -> list[Trial]:
        """All attempts at a candidate, oldest first."""

    # Latencies, which belong to a shape, a device and a protocol, not to a job

    def latency(self, shape_key: str, protocol_key: str, fingerprint_key: str) -> StoredLatency | None:
        """The newest measurement of this shape under this protocol on this device."""

    def add_latency(
        self, shape_key: str, protocol_key: str, fingerprint_key: str, measurement: LatencyMeasurement, now: datetime
    ) -> StoredLatency:
        """Store a measurement. Earlier ones of the same key stay, for the record."""

    # Reference rows

    def add_reference(self, job_id: str, owner: str, reference: Reference, now: datetime) -> None:
        """Store a job's reference row, unless it has one of that name.

        Raises:
            ConflictError: `owner` does not hold the job.
        """

    def references(self, job_id: str) -> list[Reference]:
        """A job's reference rows, in the order in which they were stored."""

    # Distillations

    def add_distillation(
        self, job_id: str, candidate_number: int, spec: DistillationSpec, folder: str, now: datetime
    ) -> Distillation:
        """Store a distillation as RUNNING, or find the one of the same folder, as it is.

        Raises:
            NotFoundError: The job was deleted.
        """

    def finish_distillation(
        self,
        distillation_id: int,
        now: datetime,
        *,
        result: DistillationResult | None = None,
        failure: FailureReport | None = None,
    ) -> None:
        """End a distillation: SUCCEEDED with a result, or FAILED with a failure.

        One that SUCCEEDED stays as it is.

        Raises:
            ValueError: Neither or both of `result` and `failure` are given.
        """

    def reopen_distillation(self, distillation_id: int) -> None:
        """Make a distillation RUNNING again, to go on from its checkpoint; its failure is cleared.

        One that SUCCEEDED stays as it is.
        """

    def distillations(self, job_id: str) -> list[Distillation]:
        """All distillations of a job, newest first."""

    def studies_url(self) -> str:
        """Where optuna may keep copies of jobs as studies: where this database is, but not among its tables."""

    def close(self) -> None:
        """Release the connections."""
