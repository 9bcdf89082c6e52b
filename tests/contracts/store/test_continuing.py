"""A candidate that was gone on with gives way to the one that did.

Tests ose/leaderboard/candidate.py too.
"""

from __future__ import annotations

from typing import Literal, get_args

import builders
import pytest
from builders import NOW
from stored import claimed, start_trial

from ose.core.job import Candidate, CandidateStatus
from ose.core.score import Score
from ose.leaderboard.candidate import candidate_json
from ose.store.base import Store
from ose.store.pages import CandidateLimits, Order

End = Literal["succeeded", "rejected", "failed", "waits"]


@pytest.fixture
def pair(store: Store) -> tuple[Candidate, Candidate]:
    """One that was trained ten steps, and one that goes on with it to thirty; a job beside has the same numbers."""
    for job_id in ("job-2", "job-1"):
        claimed(store, job_id)
        new = [builders.new_candidate(1), builders.new_candidate(2, num_steps=30, earlier_legs=(10,), continues=1)]
        first, second = store.add_candidates(job_id, "owner", new)
        latency = store.add_latency("shape", "protocol", "device", builders.latency(), NOW)
        store.attach_latency(job_id, "owner", [first.id, second.id], latency.id)
        end(store, first, "succeeded", f"{job_id}-1")
    return first, second


def end(store: Store, candidate: Candidate, how: End, trial: str = "trial") -> None:
    if how == "waits":
        return
    start_trial(store, candidate, trial)
    if how == "failed":
        store.record_failure(trial, builders.failure(), NOW, is_final=True)
    else:
        rejection = "too bad" if how == "rejected" else None
        evaluation = builders.evaluation(4.0 - candidate.number)
        store.record_success(trial, evaluation, Score(value=0.2, stderr=0.0), NOW, rejection)


def test_legs_and_the_candidate_continued_come_back(store: Store, pair: tuple[Candidate, Candidate]) -> None:
    first, second = pair
    assert (first.legs, first.continues) == ((10,), None)
    assert (second.legs, second.earlier_legs, second.continues) == ((10, 30), (10,), 1)
    assert store.candidate("job-1", 2).legs == (10, 30)
    assert store.candidate("job-1", 2).continues == 1


@pytest.mark.parametrize("how", get_args(End))
def test_only_success_takes_the_earlier_ones_place(store: Store, pair: tuple[Candidate, Candidate], how: End) -> None:
    end(store, pair[1], how)
    is_superseded = store.candidate("job-1", 1).status is CandidateStatus.SUPERSEDED
    assert is_superseded == (how == "succeeded")
    assert store.candidate("job-2", 1).status is CandidateStatus.SUCCEEDED


@pytest.mark.parametrize("order", get_args(Order))
@pytest.mark.parametrize("limits", [CandidateLimits(), CandidateLimits(max_latency_ms=1e9)])
def test_it_is_in_no_list(
    store: Store, pair: tuple[Candidate, Candidate], order: Order, limits: CandidateLimits
) -> None:
    assert [row.number for row in store.candidate_page("job-2", order=order, limits=limits).rows].count(1) == 1
    end(store, pair[1], "succeeded")
    assert [row.number for row in store.candidate_page("job-1", order=order, limits=limits).rows] == [2]
    assert [each.number for each in store.objectives("job-1", limits)] == [2]


def test_its_measurements_stay(store: Store, pair: tuple[Candidate, Candidate]) -> None:
    before = store.candidate("job-1", 1)
    end(store, pair[1], "succeeded")
    after = store.candidate("job-1", 1)
    assert (after.evaluation, after.score, after.latency) == (before.evaluation, before.score, before.latency)
    assert store.candidate_rows("job-1", [1])[0].loss_nats == 3.0
    assert store.count_candidates("job-1") == {"SUPERSEDED": 1, "SUCCEEDED": 1}
    assert [candidate.number for candidate in store.candidates("job-1")] == [1, 2]


def test_whoever_follows_the_figures_is_told_that_it_is_listed_no_more(
    store: Store, pair: tuple[Candidate, Candidate]
) -> None:
    mark = store.changes("job-1").mark
    end(store, pair[1], "succeeded")
    told = {each.number: (each.has_rank, each.is_listed) for each in store.changes("job-1", mark).figures}
    assert told == {1: (False, False), 2: (True, True)}


def test_it_is_shown_when_asked_for_by_number(store: Store, pair: tuple[Candidate, Candidate]) -> None:
    store.record_teacher("job-1", "owner", quality=builders.teacher_quality())
    latency = store.add_latency("teacher", "protocol", "device", builders.latency(20.0), NOW)
    store.record_teacher("job-1", "owner", latency_id=latency.id)
    end(store, pair[1], "succeeded")
    first, second = (candidate_json(store, "job-1", number) for number in (1, 2))
    assert (first["status"], first["rank"], first["is_pareto"], first["loss_nats"]) == ("SUPERSEDED", None, False, 3.0)
    assert (second["status"], second["rank"], second["is_pareto"]) == ("SUCCEEDED", 1, True)
    assert (second["earlier_legs"], second["continues"], first["continues"]) == ((10,), 1, None)
