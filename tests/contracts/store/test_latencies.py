"""Latencies belong to a shape, a protocol and a device."""

from __future__ import annotations

import builders
import pytest
from builders import NOW
from stored import LATER, SOON, add_candidates, claimed, current, end_candidate, start_trial

from ose.core.job import Candidate, CandidateStatus, JobStatus
from ose.core.score import Score
from ose.errors import ConflictError, NotFoundError
from ose.store.base import Store
from ose.store.new_rows import NewLatency
from ose.store.pages import LatencySummary

KEY = ("shape", "protocol", "device")


def test_the_newest_of_a_key_is_found(store: Store) -> None:
    store.add_latency(*KEY, builders.latency(1.0), SOON)
    newest = store.add_latency(*KEY, builders.latency(2.0, is_flagged=True), LATER)
    store.add_latency(*KEY, builders.latency(3.0), NOW)
    assert newest.measurement == builders.latency(2.0, is_flagged=True)
    assert store.latency(*KEY) == newest


def test_of_two_at_one_moment_the_second_is_newer(store: Store) -> None:
    store.add_latency(*KEY, builders.latency(1.0), NOW)
    second = store.add_latency(*KEY, builders.latency(2.0), NOW)
    assert store.latency(*KEY) == second


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_part_of_the_key_counts(store: Store, position: int) -> None:
    store.add_latency(*KEY, builders.latency(), NOW)
    other = [*KEY]
    other[position] = "other"
    assert store.latency(*other) is None


def scored(store: Store) -> Candidate:
    """The candidate of a running job, with a latency and a score."""
    claimed(store)
    add_candidates(store)
    candidate = store.candidate("job-1", 1)
    latency = store.add_latency(*KEY, builders.latency(2.0, is_flagged=True), NOW)
    store.attach_latency("job-1", "owner", [candidate.id], latency.id)
    store.record_teacher("job-1", "owner", latency_id=latency.id)
    end_candidate(store, candidate, "succeeded")
    return candidate


@pytest.mark.parametrize("status", [JobStatus.RUNNING, JobStatus.SUCCEEDED])
def test_another_latency_takes_a_ones_place_with_the_score_that_follows(status: JobStatus, store: Store) -> None:
    candidate = scored(store)
    if status is not JobStatus.RUNNING:
        store.finish_job("job-1", "owner", status, NOW)
    beside = {"ratio": 0.1, "ratio_stderr": 0.001, "absolute_stderr_ms": 0.02, "cpu_samples_ms": (1.0,)}
    new = store.add_latency(*KEY, builders.latency(1.0, **beside), NOW)
    change = NewLatency(candidate_id=candidate.id, latency_id=new.id, score=Score(value=0.9, stderr=0.05))
    store.replace_latencies("job-1", "owner", [change], new.id)
    found, row = current(store, candidate), store.candidate_rows("job-1", [1])[0]
    assert found.latency == store.job("job-1").teacher_latency == new.measurement
    assert (found.score, row.score_stderr) == (0.9, 0.05)
    assert (row.latency_ratio, row.latency_ratio_stderr, row.latency_flagged) == (0.1, 0.001, False)
    assert found.status is CandidateStatus.SUCCEEDED and store.job("job-1").status is status


def test_a_score_may_follow_alone_and_of_the_teacher_nothing_may_change(store: Store) -> None:
    candidate = scored(store)
    before = current(store, candidate)
    change = NewLatency(candidate_id=candidate.id, latency_id=None, score=Score(value=0.9, stderr=0.05))
    store.replace_latencies("job-1", "owner", [change])
    store.replace_latencies("job-1", "owner", [NewLatency(candidate_id=candidate.id, latency_id=None, score=None)])
    after = current(store, candidate)
    assert (after.latency, after.score) == (before.latency, 0.9)
    assert store.job("job-1").teacher_latency == before.latency


def test_nobody_changes_the_latencies_of_a_job_that_another_one_runs(store: Store) -> None:
    candidate = scored(store)
    change = NewLatency(candidate_id=candidate.id, latency_id=None, score=Score(value=0.9, stderr=0.05))
    with pytest.raises(ConflictError, match="owner"):
        store.replace_latencies("job-1", "another", [change])
    with pytest.raises(NotFoundError):
        store.replace_latencies("job-9", "another", [])
    assert current(store, candidate).score != 0.9


def test_what_is_replaced_is_seen_by_who_looks_for_changes(store: Store) -> None:
    candidate = scored(store)
    mark = store.changes("job-1").mark
    new = store.add_latency(*KEY, builders.latency(1.0), NOW)
    store.replace_latencies("job-1", "owner", [NewLatency(candidate_id=candidate.id, latency_id=new.id, score=None)])
    assert [each.latency_p50_ms for each in store.changes("job-1", mark).figures] == [1.0]


def test_latencies_are_summed_up(store: Store) -> None:
    assert store.latency_summary("job-1") == LatencySummary(num_measured=0, num_flagged=0, fastest=None)
    candidate = scored(store)
    assert store.latency_summary("job-1") == LatencySummary(num_measured=1, num_flagged=1, fastest=(1, 2.0))
    waiting, faster = store.add_candidates("job-1", "owner", [builders.new_candidate(2), builders.new_candidate(3)])
    for each, latency_ms in ((waiting, 0.5), (faster, 3.0)):
        latency = store.add_latency(*KEY, builders.latency(latency_ms), NOW)
        store.attach_latency("job-1", "owner", [each.id], latency.id)
    start_trial(store, faster, "trial-3")
    store.record_success("trial-3", builders.evaluation(), Score(value=0.2, stderr=0.0), NOW)
    assert candidate.number == 1
    assert store.latency_summary("job-1") == LatencySummary(num_measured=3, num_flagged=1, fastest=(3, 3.0)), (
        "what waits has not passed, and what is flagged comes last"
    )
