"""What an optuna search leaves for optuna-dashboard, and that a crash changes nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import optuna
import pytest
from fake_backend import Death, FakeBackend
from fake_search import MEMBERS, Search, spec
from studies import open_studies

from ose.core.job import JobStatus
from ose.errors import StoreError
from ose.store.base import Store
from ose.store.database import open_store
from ose.strategies.study_record import record_study

SEARCH = {"strategy": "optuna", "num_candidates": 8, "wave": 2}
OUTCOMES = {member: [4.0 + number / 10] for number, member in enumerate(MEMBERS)}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/ose.db")) as store:
        yield store


def backend(**changes: object) -> FakeBackend:
    return FakeBackend(outcomes=OUTCOMES, **changes)


def trials(store: Store) -> list[optuna.trial.FrozenTrial]:
    with open_studies(store) as storage:
        return optuna.load_study(study_name="tiny job-1", storage=storage).get_trials()


@pytest.mark.slow
def test_every_candidate_is_a_trial_with_its_real_values(store: Store, tmp_path: Path) -> None:
    search = Search(store, spec(**SEARCH))
    assert search.run(backend()).status is JobStatus.SUCCEEDED
    candidates = search.candidates()
    assert len(candidates) == 8
    for trial, candidate in zip(trials(store), candidates, strict=True):
        assert trial.user_attrs["candidate"] == candidate.number == trial.number + 1
        assert trial.params["hidden_size"] == candidate.architecture.hidden_size
        assert trial.value == candidate.score
    assert (tmp_path / "ose-studies.db").exists()


@pytest.mark.slow
def test_a_front_has_two_objectives(store: Store) -> None:
    search = Search(store, spec(**SEARCH, sampler="nsgaii"))
    search.run(backend())
    first, candidate = trials(store)[0], search.candidates()[0]
    assert first.values == [candidate.latency.p50_ms, candidate.evaluation.loss_nats]


@pytest.mark.slow
def test_a_search_that_dies_anywhere_proposes_the_same_and_records_it_once(store: Store, tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/other.db")) as other:
        undisturbed = Search(other, spec(**SEARCH))
        undisturbed.run(backend())
        expected = [candidate.architecture for candidate in undisturbed.candidates()]
    search, deaths = Search(store, spec(**SEARCH)), 0
    for dies_at in (12, 18, 9, 14, None):
        try:
            search.run(backend(dies_at=dies_at))
        except Death:
            deaths += 1
            search.clock.advance(100)  # its lease ends
    assert deaths >= 2 and [candidate.architecture for candidate in search.candidates()] == expected
    assert [trial.user_attrs["candidate"] for trial in trials(store)] == list(range(1, 9))


def test_a_study_that_cannot_be_written_does_not_end_the_job(store: Store, tmp_path: Path) -> None:
    (tmp_path / "ose-studies.db").write_text("this is no database, and optuna will say so")
    search = Search(store, spec(**SEARCH))
    assert search.run(backend()).status is JobStatus.SUCCEEDED
    with pytest.raises(StoreError, match="the study of job job-1 cannot be written"):
        record_study(store, store.job("job-1"))


def test_other_strategies_leave_no_study(store: Store, tmp_path: Path) -> None:
    Search(store, spec(strategy="random", num_candidates=3)).run(backend())
    assert not (tmp_path / "ose-studies.db").exists()
