"""A cancelled job stops under its owner, and can be resumed."""

from __future__ import annotations

import builders
import pytest
from builders import NOW
from stored import LATER, SOON, current, start_trial

from ose.core.job import Candidate, CandidateStatus, JobStatus, TrialStatus
from ose.store.base import Store


def test_a_running_job_stops_under_its_owner(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    assert store.cancel_job("job-1", SOON)
    job = store.job("job-1")
    assert (job.status, job.finished_at, job.lease_owner) == (JobStatus.CANCELLED, SOON, None)
    assert not store.renew_lease("job-1", "owner", LATER)
    assert current(store, candidate).status is CandidateStatus.PENDING
    assert store.trials("job-1", 1)[0].status is TrialStatus.INTERRUPTED


def test_a_pending_job_is_cancelled(store: Store) -> None:
    store.add_job(builders.new_job("job-1"))
    assert store.cancel_job("job-1", NOW)
    assert store.job("job-1").status is JobStatus.CANCELLED


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED])
def test_an_ended_job_stays_as_it_is(store: Store, candidate: Candidate, status: JobStatus) -> None:
    store.finish_job("job-1", "owner", status, NOW)
    assert not store.cancel_job("job-1", SOON)
    assert store.job("job-1").status is status


def test_a_cancelled_job_can_be_resumed(store: Store, candidate: Candidate) -> None:
    store.cancel_job("job-1", NOW)
    assert not store.cancel_job("job-1", NOW)
    assert store.claim_job("job-1", "other", NOW, SOON) is not None
