"""Any number of coordinators share one queue: each gets a job that nobody else gets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import builders
import pytest
from builders import NOW
from race import race_processes
from stored import LATER, SOON, claimed, end_candidate

from ose.core.job import Candidate, JobStatus
from ose.store.base import Store


def _queue(store: Store, *job_ids: str) -> None:
    for minute, job_id in enumerate(job_ids):
        store.add_job(builders.new_job(job_id, created_at=NOW + timedelta(minutes=minute)))


def _next(store: Store, owner: str = "other") -> str | None:
    job = store.claim_next_job(owner, NOW, SOON)
    return job and job.id


def test_the_oldest_job_comes_first(store: Store) -> None:
    _queue(store, "b", "c", "a")
    assert [_next(store, owner) for owner in ("1", "2", "3", "4")] == ["b", "c", "a", None]


def test_of_jobs_of_one_moment_the_first_by_id_comes_first(store: Store) -> None:
    for job_id in ("b", "a"):
        store.add_job(builders.new_job(job_id))
    assert _next(store) == "a"


def test_a_claimed_job_is_as_claim_job_makes_it(store: Store) -> None:
    _queue(store, "job-1", "job-2")
    first, second = store.claim_next_job("other", NOW, SOON), store.claim_job("job-2", "other", NOW, SOON)
    assert first is not None and second is not None
    assert (first.status, first.lease_owner, first.lease_expires_at) == (JobStatus.RUNNING, "other", SOON)
    assert (first.started_at, first.finished_at) == (second.started_at, second.finished_at) == (NOW, None)
    assert store.job("job-1") == first


def test_a_job_whose_lease_has_ended_is_taken_over_with_its_trials_put_back(store: Store, candidate: Candidate) -> None:
    store.open_trial("job-1", "owner", candidate.id, "trial-1", "worker", NOW)
    assert store.claim_next_job("other", SOON, LATER) is None
    job = store.claim_next_job("other", SOON + timedelta(seconds=1), LATER)
    assert job is not None and job.lease_owner == "other"
    assert store.candidates("job-1") == [candidate]


def test_an_owner_gets_back_what_it_left_behind(store: Store) -> None:
    claimed(store, "job-1")
    assert _next(store, "other") is None
    assert _next(store, "owner") == "job-1"


def test_what_the_dead_hold_is_free_before_its_lease_ends(store: Store) -> None:
    claimed(store, "job-1")
    _queue(store, "job-2")
    assert store.lease_owners() == {"owner"}
    assert store.claim_next_job("other", NOW, SOON, {"owner"}).id == "job-1"
    assert store.lease_owners() == {"other"}


def test_jobs_that_have_ended_wait_for_nobody(store: Store, candidate: Candidate) -> None:
    end_candidate(store, candidate, "succeeded")
    store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, NOW)
    for job_id in ("failed", "cancelled"):
        claimed(store, job_id)
    store.finish_job("failed", "owner", JobStatus.FAILED, NOW, builders.failure())
    store.cancel_job("cancelled", NOW)
    assert store.claim_next_job("other", LATER, LATER) is None


def test_a_released_job_waits_again_at_its_old_place(store: Store) -> None:
    _queue(store, "a", "b")
    assert _next(store, "owner") == "a"
    store.release_job("a", "owner")
    assert _next(store) == "a"


def test_threads_that_ask_at_once_get_different_jobs(store: Store) -> None:
    _queue(store, *"abcdefgh")
    start = Barrier(8)

    def ask(owner: str) -> str | None:
        start.wait()
        return _next(store, owner)

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, "12345678")) == [*"abcdefgh"]


@pytest.mark.processes
def test_processes_that_empty_the_queue_share_it_out(store: Store, store_url: str) -> None:
    ids = {f"job-{number:02}" for number in range(30)}
    for job_id in ids:
        store.add_job(builders.new_job(job_id))
    shares = [set(share.split()) for share in race_processes(store_url, {"first": "empty", "second": "empty"})]
    assert shares[0].isdisjoint(shares[1])
    assert shares[0] | shares[1] == ids
    for owner, share in zip(("first", "second"), shares, strict=True):
        assert {job_id for job_id in ids if store.job(job_id).lease_owner.startswith(owner)} == share
