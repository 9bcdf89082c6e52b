"""One coordinator at a time holds a job."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import builders
import pytest
from builders import NOW
from race import race_processes
from stored import LATER, SOON

from ose.core.job import JobStatus
from ose.store.base import Store


@pytest.fixture(autouse=True)
def _job(store: Store) -> None:
    store.add_job(builders.new_job("job-1"))


def test_a_claim_makes_a_job_running(store: Store) -> None:
    job = store.claim_job("job-1", "owner", NOW, SOON)
    assert job is not None
    assert (job.status, job.lease_owner, job.lease_expires_at) == (JobStatus.RUNNING, "owner", SOON)
    assert job.started_at == NOW
    assert store.job("job-1") == job


def test_a_held_job_goes_to_nobody_else(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    assert store.claim_job("job-1", "other", NOW, SOON) is None
    assert store.claim_job("job-1", "other", NOW, SOON, evict="third") is None
    assert store.job("job-1").lease_owner == "owner"


def test_an_expired_lease_can_be_taken_over(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    job = store.claim_job("job-1", "other", SOON + timedelta(seconds=1), LATER)
    assert job is not None
    assert (job.lease_owner, job.lease_expires_at, job.started_at) == ("other", LATER, NOW)
    assert not store.renew_lease("job-1", "owner", LATER)


def test_a_dead_owner_can_be_evicted(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    job = store.claim_job("job-1", "other", NOW, SOON, evict="owner")
    assert job is not None
    assert job.lease_owner == "other"


def test_an_owner_may_claim_again(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    assert store.claim_job("job-1", "owner", NOW, LATER) is not None


def test_a_succeeded_job_is_never_claimed(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    assert store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, NOW)
    assert store.claim_job("job-1", "other", LATER, LATER) is None


def test_an_unknown_job_is_never_claimed(store: Store) -> None:
    assert store.claim_job("job-2", "owner", NOW, SOON) is None


def test_a_failed_job_can_be_resumed_with_its_failure_cleared(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    store.finish_job("job-1", "owner", JobStatus.FAILED, SOON, builders.failure())
    failed = store.job("job-1")
    assert (failed.status, failed.failure, failed.finished_at) == (JobStatus.FAILED, builders.failure(), SOON)
    resumed = store.claim_job("job-1", "other", LATER, LATER)
    assert resumed is not None
    assert (resumed.status, resumed.failure, resumed.finished_at) == (JobStatus.RUNNING, None, None)
    assert resumed.started_at == NOW


def test_only_the_owner_renews_finishes_or_releases(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    assert not store.renew_lease("job-1", "other", LATER)
    assert not store.finish_job("job-1", "other", JobStatus.SUCCEEDED, NOW)
    assert not store.release_job("job-1", "other")
    assert store.job("job-1").lease_expires_at == SOON
    assert store.renew_lease("job-1", "owner", LATER)
    assert store.job("job-1").lease_expires_at == LATER


def test_a_finished_job_has_no_owner(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, SOON)
    assert store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, SOON)
    job = store.job("job-1")
    assert (job.status, job.finished_at, job.lease_owner) == (JobStatus.SUCCEEDED, SOON, None)
    assert not store.finish_job("job-1", "owner", JobStatus.FAILED, LATER)
    assert not store.renew_lease("job-1", "owner", LATER)


def test_a_released_job_is_free_at_once(store: Store) -> None:
    store.claim_job("job-1", "owner", NOW, LATER)
    assert store.release_job("job-1", "owner")
    assert store.job("job-1").status is JobStatus.PENDING
    assert store.claim_job("job-1", "other", NOW, LATER) is not None


def test_threads_race_and_one_wins(store: Store) -> None:
    start = Barrier(8)

    def claim(owner: str) -> bool:
        start.wait()
        return store.claim_job("job-1", owner, NOW, SOON) is not None

    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(claim, [f"owner-{n}" for n in range(8)]))
    assert sum(wins) == 1
    assert store.job("job-1").lease_owner == f"owner-{wins.index(True)}"


@pytest.mark.processes
def test_processes_race_and_one_wins(store: Store, store_url: str) -> None:
    outcomes = race_processes(store_url, {"first": "claim", "second": "claim"})
    assert sorted(outcomes) == ["lost", "won"]
    assert store.job("job-1").lease_owner == ["first", "second"][outcomes.index("won")]
