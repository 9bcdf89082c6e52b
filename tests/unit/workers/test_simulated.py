"""A coordinator cannot tell simulated workers from real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from fake_results import result_of
from fake_search import Search, spec

from ose.coordinator.coordinator import Coordinator
from ose.core.job import CandidateStatus, JobStatus
from ose.core.progress import Silence
from ose.store.base import Store
from ose.store.database import open_store
from ose.workers.simulated import Faults, SimulatedBackend, VirtualClock

HARSH = Faults(passing=0.1, lasting=0.05, lost=0.1, straggling=0.1, slowdown=20.0, restart_s=100.0)


@pytest.fixture
def store(empty_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    (tmp_path / "store.db").write_bytes(empty_sqlite.read_bytes())
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def backend(clock: VirtualClock, num_workers: int = 4, faults: Faults = HARSH, seed: int = 3) -> SimulatedBackend:
    return SimulatedBackend(num_workers, clock, lambda _: 10.0, result_of, lambda _: builders.latency(), faults, seed)


def run(store: Store, workers: SimulatedBackend, clock: VirtualClock) -> Search:
    large = replace(spec(max_attempts=9), space=builders.search_space(hidden_size=tuple(range(8, 136, 8))))
    search = Search(store, large)
    Coordinator(store, lambda _: workers, Path("/nowhere"), Silence(), clock).run("job-1")
    return search


@pytest.mark.slow
def test_a_search_sees_every_candidate_to_its_one_end(store: Store) -> None:
    clock = VirtualClock()
    workers = backend(clock)
    search = run(store, workers, clock)
    assert store.job("job-1").status is JobStatus.SUCCEEDED
    candidates = search.candidates()
    ended = Counter(candidate.status for candidate in candidates)
    assert set(ended) == {CandidateStatus.SUCCEEDED, CandidateStatus.FAILED} and len(candidates) > 100
    for candidate in candidates:
        assert search.successes(candidate) == (candidate.status is CandidateStatus.SUCCEEDED)
    assert {candidate.failure.code for candidate in candidates if candidate.failure} == {"non_finite_loss"}
    assert workers.num_submitted > len(candidates)


@pytest.mark.slow
def test_workers_are_kept_busy_and_time_is_what_their_work_takes(store: Store) -> None:
    clock = VirtualClock()
    workers = backend(clock, faults=Faults())
    candidates = run(store, workers, clock).candidates()
    assert workers.utilisation == 1.0
    assert 10.0 * len(candidates) / 4 <= clock.now_s <= 10.0 * len(candidates) / 4 + 10.0 * 4 + len(candidates) + 10


def test_waiting_for_nothing_moves_the_clock(tmp_path: Path) -> None:
    clock = VirtualClock()
    began = clock()
    assert backend(clock).next_event(5.0) is None
    assert (clock() - began).total_seconds() == 5.0
