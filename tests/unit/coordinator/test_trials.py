"""A trial that the store refuses, to open or to end, means that the job is no longer ours.

Tests ose/coordinator/run_context.py too.
"""

from datetime import timedelta
from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import Clock, Search

from ose.coordinator.run_context import RunContext
from ose.coordinator.trials import open_trial, record_failure, record_success
from ose.core.failures import JobInterruptedError
from ose.core.job import Candidate
from ose.core.progress import Silence
from ose.core.score import Score
from ose.errors import ConflictError

SCORE = Score(value=1.0, stderr=0.0)


@pytest.fixture
def context(search: Search) -> RunContext:
    job = search.store.claim_job(search.job_id, "owner", builders.NOW, builders.NOW + timedelta(minutes=1))
    assert job is not None
    return RunContext(
        store=search.store,
        backend=FakeBackend(),
        progress=Silence(),
        job=job,
        owner="owner",
        artifacts=Path("/nowhere"),
        is_lost=lambda: False,
        now=Clock(),
    )


@pytest.fixture
def candidate(context: RunContext) -> Candidate:
    return context.store.add_candidates(context.job.id, "owner", [builders.new_candidate()])[0]


def test_a_cancelled_job_takes_no_trial(context: RunContext, candidate: Candidate) -> None:
    context.store.cancel_job(context.job.id, builders.NOW)
    with pytest.raises(ConflictError):
        open_trial(context, candidate, "worker")


def test_a_candidate_takes_one_trial_at_a_time(context: RunContext, candidate: Candidate) -> None:
    open_trial(context, candidate, "worker")
    with pytest.raises(ConflictError):
        open_trial(context, candidate, "worker")


def test_a_trial_that_was_taken_from_us_takes_no_result(context: RunContext, candidate: Candidate) -> None:
    trial = open_trial(context, candidate, "worker")
    context.store.cancel_job(context.job.id, builders.NOW)
    with pytest.raises(JobInterruptedError):
        record_success(context, trial, builders.evaluation(), SCORE, None)
    with pytest.raises(JobInterruptedError):
        record_failure(context, trial, builders.failure())


def test_a_result_is_taken_once(context: RunContext, candidate: Candidate) -> None:
    trial = open_trial(context, candidate, "worker")
    record_success(context, trial, builders.evaluation(), SCORE, None)
    with pytest.raises(JobInterruptedError):
        record_success(context, trial, builders.evaluation(), SCORE, None)
