"""What belongs to a running job is changed by its owner alone, also by one that has yet to hear that it lost it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Event

import builders
import pytest
from builders import NOW
from race import race_processes
from sqlalchemy import update
from stored import current, take_over

from ose.core.job import Candidate, CandidateStatus, TrialStatus
from ose.errors import ConflictError
from ose.store.base import Store
from ose.store.database import connect
from ose.store.tables import JOBS

Change = Callable[[Store, Candidate, int], object]

CHANGES: dict[str, Change] = {
    "records the teacher": lambda store, _, latency: store.record_teacher("job-1", "owner", latency_id=latency),
    "adds candidates": lambda store, *_: store.add_candidates("job-1", "owner", [builders.new_candidate(2)]),
    "rejects": lambda store, candidate, _: store.reject_candidate("job-1", "owner", candidate.id, "too large"),
    "attaches a latency": lambda store, candidate, latency: store.attach_latency(
        "job-1", "owner", [candidate.id], latency
    ),
    "opens a trial": lambda store, candidate, _: store.open_trial("job-1", "owner", candidate.id, "late", "w", NOW),
}


@pytest.fixture
def latency_id(store: Store) -> int:
    return store.add_latency("shape", "protocol", "device", builders.latency(), NOW).id


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("how", ["evicted", "released"])
def test_a_stale_owner_changes_nothing(
    store: Store, candidate: Candidate, latency_id: int, change: str, how: str
) -> None:
    take_over(store, how)
    before = store.job("job-1"), store.candidates("job-1")
    with pytest.raises(ConflictError, match="no longer, run by owner"):
        CHANGES[change](store, candidate, latency_id)
    assert (store.job("job-1"), store.candidates("job-1")) == before
    assert store.trials("job-1", 1) == []


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_a_job_that_was_cancelled(
    store: Store, candidate: Candidate, latency_id: int, change: str
) -> None:
    store.cancel_job("job-1", NOW)
    with pytest.raises(ConflictError):
        CHANGES[change](store, candidate, latency_id)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_waits_for_a_claim_that_is_under_way(
    store: Store, store_url: str, candidate: Candidate, latency_id: int, change: str
) -> None:
    under_way = Event()

    def change_meanwhile() -> None:
        under_way.wait(10)
        CHANGES[change](store, candidate, latency_id)

    with ThreadPoolExecutor(1) as pool, closing(connect(store_url)) as elsewhere:
        late = pool.submit(change_meanwhile)
        with elsewhere.write() as connection:
            connection.execute(update(JOBS).values(lease_owner="other"))
            under_way.set()
            with pytest.raises(TimeoutError):
                late.result(0.1)
        with pytest.raises(ConflictError):
            late.result(10)
    assert current(store, candidate) == candidate


@pytest.mark.processes
def test_an_owner_opens_trials_while_another_process_takes_the_job(
    store: Store, store_url: str, candidate: Candidate
) -> None:
    store.add_candidates("job-1", "owner", [builders.new_candidate(number) for number in range(2, 100)])
    opened, won = race_processes(store_url, {"owner": "open_trials", "other": "take"})
    assert (store.job("job-1").lease_owner, won) == ("other", "won")
    trials = [trial for number in range(1, 100) for trial in store.trials("job-1", number)]
    assert {trial.status for trial in trials} <= {TrialStatus.INTERRUPTED}
    assert len(trials) == int(opened)
    assert {each.status for each in store.candidates("job-1")} == {CandidateStatus.PENDING}


def test_a_candidate_of_another_job_is_left_alone(store: Store, candidate: Candidate, latency_id: int) -> None:
    store.add_job(builders.new_job("job-2"))
    store.claim_job("job-2", "owner", NOW, NOW)
    store.reject_candidate("job-2", "owner", candidate.id, "not ours")
    store.attach_latency("job-2", "owner", [candidate.id], latency_id)
    with pytest.raises(ConflictError):
        store.open_trial("job-2", "owner", candidate.id, "trial-1", "worker", NOW)
    assert current(store, candidate) == candidate
