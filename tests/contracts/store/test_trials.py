"""A candidate runs once at a time and has one result.

Tests ose/store/rows.py too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import repeat
from math import isnan, nan
from threading import Barrier

import builders
import pytest
from builders import NOW
from stored import LATER, SOON, current, end_candidate, start_trial

from ose.core.job import Candidate, CandidateStatus, TrialStatus
from ose.core.score import Score
from ose.errors import ConflictError
from ose.store.base import Store


def test_a_trial_starts_its_candidate(store: Store, candidate: Candidate) -> None:
    trial = start_trial(store, candidate)
    assert (trial.id, trial.candidate_id, trial.attempt) == ("trial-1", candidate.id, 1)
    assert (trial.status, trial.worker, trial.started_at) == (TrialStatus.RUNNING, "worker", NOW)
    assert store.trials("job-1", 1) == [trial]
    assert current(store, candidate) == replace(candidate, status=CandidateStatus.RUNNING, num_attempts=1)


def test_a_candidate_runs_once_at_a_time(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    with pytest.raises(ConflictError):
        start_trial(store, candidate, "trial-2")
    assert len(store.trials("job-1", 1)) == 1


def test_threads_race_for_a_candidate_and_one_wins(store: Store, candidate: Candidate) -> None:
    start = Barrier(4)

    def open_trial(trial_id: str) -> bool:
        start.wait()
        try:
            start_trial(store, candidate, trial_id)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(open_trial, "abcd")) == 1
    assert current(store, candidate).num_attempts == 1


def test_a_job_that_does_not_run_takes_no_trial(store: Store, candidate: Candidate) -> None:
    store.cancel_job("job-1", NOW)
    with pytest.raises(ConflictError):
        start_trial(store, candidate)
    assert current(store, candidate).num_attempts == 0


def test_a_success_is_scored(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    evaluation = builders.evaluation(4.25, training_losses_nats=(0.1, 1 / 3))
    assert store.record_success("trial-1", evaluation, Score(value=0.2, stderr=0.01), SOON)
    scored = current(store, candidate)
    assert (scored.status, scored.evaluation) == (CandidateStatus.SUCCEEDED, evaluation)
    assert (scored.score, scored.score_stderr, scored.rejection) == (0.2, 0.01, None)
    (trial,) = store.trials("job-1", 1)
    assert (trial.status, trial.finished_at) == (TrialStatus.SUCCEEDED, SOON)


def test_a_success_is_recorded_once(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    store.record_success("trial-1", builders.evaluation(4.0), Score(value=0.2, stderr=0.0), SOON)
    before = current(store, candidate)
    assert not store.record_success("trial-1", builders.evaluation(1.0), Score(value=9.0, stderr=0.0), LATER)
    assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=True)
    assert current(store, candidate) == before


def test_threads_race_with_one_result_and_it_counts_once(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    with ThreadPoolExecutor(4) as pool:
        record = pool.map(store.record_success, repeat("trial-1", 4), repeat(builders.evaluation()),
                          repeat(None), repeat(SOON))  # fmt: skip
        assert sum(record) == 1


def test_a_loss_limit_rejects_what_was_measured(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    assert store.record_success("trial-1", builders.evaluation(), None, SOON, rejection="loss above 4 nats")
    rejected = current(store, candidate)
    assert (rejected.status, rejected.rejection) == (CandidateStatus.REJECTED, "loss above 4 nats")
    assert (rejected.evaluation, rejected.score) == (builders.evaluation(), None)


def test_a_spread_that_is_no_number_is_stored(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    assert store.record_success("trial-1", builders.evaluation(loss_stderr_nats=nan), None, SOON)
    evaluation = current(store, candidate).evaluation
    assert evaluation is not None and isnan(evaluation.loss_stderr_nats)


def test_a_passing_failure_puts_the_candidate_back(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    assert store.record_failure("trial-1", builders.failure(), SOON, is_final=False)
    assert current(store, candidate) == replace(candidate, num_attempts=1)
    start_trial(store, candidate, "trial-2", LATER)
    first, second = store.trials("job-1", 1)
    assert (first.status, first.failure, first.finished_at) == (TrialStatus.FAILED, builders.failure(), SOON)
    assert (second.id, second.attempt) == ("trial-2", 2)


def test_a_final_failure_ends_the_candidate(store: Store, candidate: Candidate) -> None:
    start_trial(store, candidate)
    assert store.record_failure("trial-1", builders.failure("non_finite_loss"), SOON, is_final=True)
    failed = current(store, candidate)
    assert (failed.status, failed.failure) == (CandidateStatus.FAILED, builders.failure("non_finite_loss"))
    assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=False)
    assert not store.record_success("trial-1", builders.evaluation(), None, LATER)
    assert current(store, candidate) == failed


def test_an_unknown_trial_records_nothing(store: Store, candidate: Candidate) -> None:
    assert not store.record_success("trial-9", builders.evaluation(), None, NOW)
    assert not store.record_failure("trial-9", builders.failure(), NOW, is_final=True)


@pytest.mark.parametrize("end", ["succeeded", "rejected", "failed"])
def test_a_candidate_that_ended_is_never_reopened(store: Store, candidate: Candidate, end: str) -> None:
    end_candidate(store, candidate, end)
    ended = current(store, candidate)
    with pytest.raises(ConflictError):
        start_trial(store, candidate, "trial-2")
    store.reject_candidate("job-1", "owner", candidate.id, "too late")
    store.release_job("job-1", "owner")
    store.claim_job("job-1", "other", NOW, SOON)
    assert current(store, candidate) == ended


def test_a_candidate_without_trials_has_none(store: Store, candidate: Candidate) -> None:
    assert store.trials("job-1", 1) == []
    assert store.trials("job-1", 2) == []
