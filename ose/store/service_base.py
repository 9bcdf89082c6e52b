"""What a shared service asks of the database beside jobs and candidates: `Store` has all of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ose.core.access import JobQuota, Token
from ose.core.exports import Export
from ose.core.job import Distillation, FailureReport, Job, JobStatus
from ose.core.leftovers import Leftover
from ose.core.recipe import DistillationSpec
from ose.store.new_rows import NewJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """What a caller asked for under a key of its own choice, so that asking again does nothing more.

    Attributes:
        caller: Whose key it is; different callers may choose the same one.
        key: The caller's.
        request_hash: Of what was asked for: one key stands for one request.
    """

    caller: str
    key: str
    request_hash: str


class ServiceStore(Protocol):
    """Submissions, deletions, requested distillations, exports and tokens."""

    def add_job_once(self, job: NewJob, submission: Submission, quota: JobQuota | None = None) -> Job:
        """Store a job as PENDING under a submission's key, or find the one that is stored under it already.

        Raises:
            ConflictError: The key stands for another request.
            QuotaError: It would be a new job, and its owner has as many as it may.
        """

    def submitted_job(self, submission: Submission) -> Job | None:
        """The job that this submission has made before.

        Raises:
            ConflictError: The key stands for another request.
        """

    def count_candidates_of(self, job_ids: Sequence[str]) -> dict[str, dict[str, int]]:
        """Number of candidates by job and status; jobs and statuses without a candidate are left out."""

    def job_statuses(self, job_ids: Sequence[str]) -> dict[str, tuple[JobStatus, FailureReport | None]]:
        """How jobs stand, without the rest of them; what is not there, or says nothing known, is left out."""

    def requeue_job(self, job_id: str, max_queued: int | None = None) -> bool:
        """Make a FAILED or CANCELLED job PENDING. False, and nothing changes, in any other state.

        Raises:
            QuotaError: So many jobs of its owner wait already.
        """

    def count_jobs(self) -> dict[str, int]:
        """Number of jobs by status; statuses without a job are left out."""

    # Deletion. Rows go at once; files go when no other job has a use for them, and are on record until then.

    def delete_job(self, job_id: str, leftovers: Sequence[Leftover], now: datetime) -> None:
        """Delete a job with its candidates, distillations and exports, and put on record which files it leaves.

        Raises:
            NotFoundError: There is no job of this id.
            ConflictError: It is RUNNING, or a coordinator runs a distillation of it.
        """

    def leftovers(self) -> list[Leftover]:
        """Files of deleted jobs that may still be there, by name."""

    def jobs_standing_still(self, teachers: Collection[str]) -> AbstractContextManager[list[Job]]:
        """All jobs of these teachers, given by digest. Until the block ends, no job is added or changed: be short."""

    def forget_leftovers(self, leftovers: Sequence[Leftover]) -> None:
        """Strike files off the record, unless another deletion has put them there meanwhile."""

    # Distillations that a coordinator runs

    def request_distillation(
        self,
        job_id: str,
        candidate_number: int,
        spec: DistillationSpec,
        folder: str,
        num_workers: int,
        now: datetime,
        owner: str | None = None,
        max_queued: int | None = None,
    ) -> Distillation:
        """Queue a distillation for an owner, or find the one of the same folder; one that FAILED is queued again.

        Raises:
            NotFoundError: The job was deleted.
            QuotaError: So many distillations of the owner wait already, and this one would be one more.
        """

    def distillation(self, distillation_id: int) -> Distillation:
        """One distillation.

        Raises:
            NotFoundError: There is no such distillation.
        """

    def claim_distillation(
        self, owner: str, now: datetime, lease_expires_at: datetime
    ) -> tuple[Distillation, int] | None:
        """Take the distillation whose turn it is, with the number of workers it asks for.

        Owners take turns, as with jobs. It waits if it is PENDING, or RUNNING under a lease that has ended. Each claim
        is counted.
        """

    def renew_distillation(self, distillation_id: int, owner: str, lease_expires_at: datetime) -> bool:
        """Extend the lease. False if `owner` does not hold it any more."""

    def note_steps(self, distillation_id: int, owner: str, num_steps: int) -> None:
        """Put on record that a distillation which `owner` holds has got on to this step: claims are counted anew."""

    def release_distillation(self, distillation_id: int, owner: str) -> bool:
        """Give a RUNNING distillation back as PENDING, for anyone to go on from its checkpoint; no claim counts."""

    # Exports

    def unexported_distillations(self) -> list[Distillation]:
        """Distillations that SUCCEEDED and have no export, oldest first."""

    def add_export(self, export: Export) -> Export:
        """Store an export, or find the one that its distillation has already.

        Raises:
            NotFoundError: The distillation was deleted.
        """

    def exports(self, job_id: str) -> list[Export]:
        """All exports of a job, newest distillation first."""

    # Tokens

    def add_token(self, token: Token, digest: str) -> None:
        """Store a token by the digest of its secret."""

    def token(self, token_id: str) -> tuple[Token, str] | None:
        """A token with the digest of its secret."""

    def tokens(self) -> list[Token]:
        """All tokens, oldest first; revoked and expired ones too."""

    def has_tokens(self) -> bool:
        """Whether there is a token, valid or not."""

    def revoke_token(self, token_id: str, now: datetime) -> bool:
        """Withdraw a token. False if there is none of this id that is not withdrawn."""

    def revision(self) -> str | None:
        """The revision of the tables; None where there are none."""
