"""A job that never gets on fails; one that does is claimed as often as it takes."""

from __future__ import annotations

import pytest
from fake_backend import Death, FakeBackend
from fake_search import Search

from ose.coordinator import turn_taking
from ose.coordinator.lease import LEASE_S
from ose.core.job import Job, JobStatus
from ose.errors import WorkerStartError


def claim_and_die(search: Search, dies_at: int) -> None:
    """A coordinator takes the job from the queue and dies; its lease ends."""
    with pytest.raises(Death):
        search.coordinator(FakeBackend(dies_at=dies_at)).run_next()
    search.clock.advance(LEASE_S + 1)


def next_job(search: Search, backend: FakeBackend | None = None) -> Job:
    job = search.coordinator(backend or FakeBackend()).run_next()
    assert job is not None
    return job


def test_a_job_under_which_three_coordinators_died_fails_with_that_reason(search: Search) -> None:
    for _ in range(3):
        claim_and_die(search, dies_at=1)
    backend = FakeBackend()
    job = next_job(search, backend)
    assert job.status is JobStatus.FAILED and job.failure is not None
    assert job.failure.code == "abandoned" and "OSE_MAX_CLAIMS" in job.failure.message
    assert backend.num_calls == 0


def test_the_operator_says_how_many(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_MAX_CLAIMS", "1")
    claim_and_die(search, dies_at=1)
    assert next_job(search).status is JobStatus.FAILED


@pytest.mark.slow
def test_a_job_that_gets_on_is_claimed_as_often_as_it_takes(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_taking, "_MOST_AT_ONCE", 3)  # what takes turns is stored together
    claims = 0
    while search.store.job(search.job_id).status is not JobStatus.SUCCEEDED:
        claims += 1
        search.clock.advance(LEASE_S + 1)
        try:
            next_job(search, FakeBackend(dies_at=25))
        except Death:
            continue
    assert claims > 4


def test_a_trial_that_takes_its_coordinator_down_each_time_is_no_progress(search: Search) -> None:
    def strike() -> None:
        if backend.trained:
            raise Death

    for _ in range(5):  # the first claim lists the candidates and measures them
        backend = FakeBackend(before_event=strike)
        try:
            if next_job(search, backend).status is JobStatus.FAILED:
                return
        except Death:
            search.clock.advance(LEASE_S + 1)
    raise AssertionError("it is claimed for ever")


def test_who_asks_for_a_job_has_it_tried_again(search: Search) -> None:
    for _ in range(3):
        claim_and_die(search, dies_at=1)
    assert next_job(search).status is JobStatus.FAILED
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_worker_that_cannot_start_hands_the_job_back_and_fails_it_in_the_end(search: Search) -> None:
    def cannot_start() -> None:
        raise WorkerStartError("the worker could not start")

    backend = FakeBackend(before_event=cannot_start)
    for _ in range(3):
        job = next_job(search, backend)
        assert (job.status, job.failure, job.lease_owner) == (JobStatus.PENDING, None, None)
    assert next_job(search, backend).status is JobStatus.FAILED


def test_a_job_that_was_handed_back_in_good_order_has_lost_no_claim(search: Search) -> None:
    for _ in range(5):
        assert stopped_at_once(search).status is JobStatus.PENDING
    assert next_job(search).status is JobStatus.SUCCEEDED


def stopped_at_once(search: Search) -> Job:
    coordinator = search.coordinator(FakeBackend(before_event=lambda: coordinator.stop()))
    job = coordinator.run_next()
    assert job is not None
    return job
