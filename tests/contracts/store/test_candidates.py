"""Candidates are proposed, rejected and measured under a running job.

Tests ose/store/new_rows.py too.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import builders
import pytest
from builders import NOW
from stored import claimed

from ose.core.job import CandidateStatus
from ose.core.layer_choice import LayerChoice
from ose.core.spec import Hyperparameters
from ose.errors import ConflictError, NotFoundError, StoreError
from ose.store.base import Store


@pytest.fixture(autouse=True)
def _job(store: Store) -> None:
    claimed(store, "job-1")


def test_a_candidate_comes_back_as_it_was_proposed(store: Store) -> None:
    new = builders.new_candidate(
        7, hyperparameters=Hyperparameters(learning_rate=1e-4, batch_size=8), flops=10**13, num_parameters=2**33
    )
    (candidate,) = store.add_candidates("job-1", "owner", [new])
    assert (candidate.job_id, candidate.number, candidate.status) == ("job-1", 7, CandidateStatus.PENDING)
    assert (candidate.architecture, candidate.hyperparameters) == (new.architecture, new.hyperparameters)
    assert (candidate.num_parameters, candidate.num_encoder_parameters) == (2**33, new.num_encoder_parameters)
    assert (candidate.flops, candidate.num_steps, candidate.num_attempts) == (10**13, new.num_steps, 0)
    assert store.candidate("job-1", 7) == candidate


@pytest.mark.parametrize("layers", [None, "top", (0, 2, 5)])
def test_the_layers_asked_for_come_back(store: Store, layers: LayerChoice | None) -> None:
    (candidate,) = store.add_candidates("job-1", "owner", [builders.new_candidate(layers=layers)])
    assert candidate.layers == layers
    assert store.candidate("job-1", 1) == candidate


def test_candidates_come_back_in_the_order_given_and_are_listed_by_number(store: Store) -> None:
    added = store.add_candidates("job-1", "owner", [builders.new_candidate(n) for n in (3, 1, 2)])
    assert [candidate.number for candidate in added] == [3, 1, 2]
    assert [candidate.number for candidate in store.candidates("job-1")] == [1, 2, 3]


def test_adding_again_changes_nothing(store: Store) -> None:
    (first,) = store.add_candidates("job-1", "owner", [builders.new_candidate(1)])
    store.reject_candidate("job-1", "owner", first.id, "too large")
    again = store.add_candidates("job-1", "owner", [builders.new_candidate(n, num_steps=99) for n in (1, 2)])
    assert again[0] == replace(first, status=CandidateStatus.REJECTED, rejection="too large")
    assert again[1].num_steps == 99
    assert len(store.candidates("job-1")) == 2


def test_writers_wait_for_each_other(store: Store) -> None:
    start = Barrier(6)

    def add(number: int) -> int:
        start.wait()
        return store.add_candidates("job-1", "owner", [builders.new_candidate(number)])[0].number

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(add, range(1, 7))) == [1, 2, 3, 4, 5, 6]
    assert len(store.candidates("job-1")) == 6


def test_no_candidates_are_no_error(store: Store) -> None:
    assert store.add_candidates("job-1", "owner", []) == []
    assert store.candidates("job-1") == []
    store.attach_latency("job-1", "owner", [], 1)


def test_a_candidate_belongs_to_a_job(store: Store) -> None:
    with pytest.raises(ConflictError):
        store.add_candidates("job-2", "owner", [builders.new_candidate()])


def test_jobs_number_their_candidates_apart(store: Store) -> None:
    claimed(store, "job-2")
    (first,) = store.add_candidates("job-1", "owner", [builders.new_candidate(1)])
    (second,) = store.add_candidates("job-2", "owner", [builders.new_candidate(1)])
    assert first.id != second.id
    assert store.candidates("job-2") == [second]


def test_an_unknown_number_is_not_found(store: Store) -> None:
    with pytest.raises(NotFoundError, match="no candidate 5"):
        store.candidate("job-1", 5)


def test_candidates_are_counted_by_status(store: Store) -> None:
    assert store.count_candidates("job-1") == {}
    added = store.add_candidates("job-1", "owner", [builders.new_candidate(n) for n in (1, 2, 3)])
    store.reject_candidate("job-1", "owner", added[0].id, "too slow")
    assert store.count_candidates("job-1") == {"PENDING": 2, "REJECTED": 1}


def test_a_latency_is_shared_by_the_candidates_of_a_shape(store: Store) -> None:
    added = store.add_candidates("job-1", "owner", [builders.new_candidate(n) for n in (1, 2, 3)])
    latency = store.add_latency("shape", "protocol", "device", builders.latency(2.0), NOW)
    store.attach_latency("job-1", "owner", [added[0].id, added[2].id], latency.id)
    assert [c.latency for c in store.candidates("job-1")] == [latency.measurement, None, latency.measurement]


def test_a_latency_must_exist(store: Store) -> None:
    (candidate,) = store.add_candidates("job-1", "owner", [builders.new_candidate()])
    with pytest.raises(StoreError):
        store.attach_latency("job-1", "owner", [candidate.id], -1)


def test_a_few_are_found_by_their_numbers(store: Store) -> None:
    store.add_candidates("job-1", "owner", [builders.new_candidate(number) for number in (1, 2, 3)])
    assert [each.number for each in store.candidates("job-1", [3, 1, 9])] == [1, 3]
    assert store.candidates("job-1", []) == []
