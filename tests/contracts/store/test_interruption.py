"""What a coordinator that died left half done is put back by whoever takes the job over."""

from __future__ import annotations

import builders
import pytest
from builders import NOW
from stored import LATER, current, end_candidate, start_trial, take_over

from ose.core.job import Candidate, TrialStatus
from ose.store.base import Store


@pytest.fixture(params=["expired", "evicted", "released", "cancelled", "finished"])
def takeover(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_running_trials_are_interrupted_and_not_counted(store: Store, candidate: Candidate, takeover: str) -> None:
    start_trial(store, candidate)
    take_over(store, takeover)
    (trial,) = store.trials("job-1", 1)
    assert trial.status is TrialStatus.INTERRUPTED
    assert current(store, candidate) == candidate
    assert start_trial(store, candidate, "trial-2", LATER).attempt == 1


def test_a_late_result_of_an_interrupted_trial_is_not_recorded(
    store: Store, candidate: Candidate, takeover: str
) -> None:
    start_trial(store, candidate)
    take_over(store, takeover)
    start_trial(store, candidate, "trial-2", LATER)
    assert not store.record_success("trial-1", builders.evaluation(1.0), None, LATER)
    assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=True)
    assert store.record_success("trial-2", builders.evaluation(2.0), None, LATER)
    assert current(store, candidate).evaluation == builders.evaluation(2.0)


def test_finished_work_and_other_jobs_are_left_alone(store: Store, candidate: Candidate) -> None:
    end_candidate(store, candidate, "succeeded")
    store.add_job(builders.new_job("job-2"))
    store.claim_job("job-2", "owner", NOW, LATER)
    (other,) = store.add_candidates("job-2", "owner", [builders.new_candidate()])
    start_trial(store, other, "trial-2")
    before = (store.candidates("job-1"), store.candidates("job-2"), store.trials("job-2", 1))
    take_over(store, "evicted")
    assert (store.candidates("job-1"), store.candidates("job-2"), store.trials("job-2", 1)) == before
