"""Whose files stay: a job is run on a backend that writes them as a worker would."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import builders
import pytest
from fake_backend import Death, FakeBackend
from fake_search import SPEC, Search, spec

from ose.coordinator.cache_keys import CheckpointNames
from ose.core.job import Candidate, CandidateStatus, JobStatus
from ose.core.messages import EvaluationRequest
from ose.core.spec import JobSpec, Limits
from ose.store.base import Store

HALVING = spec(strategy="halving", steps=90, min_steps=10, eta=3, keep_checkpoints=1)


@dataclass
class WritingBackend(FakeBackend):
    """Deeper and wider is better, and longer too; the weights of who may go on are written and read."""

    num_written: int = 0
    num_retrained: int = 0

    def _result(self, task: Any) -> Any:
        if not isinstance(task, EvaluationRequest):
            return super()._result(task)
        assert task.checkpoints is not None
        loss = loss_of(task)
        self.num_retrained += not all(Path(file).exists() for file in task.checkpoints.earlier[-1:])
        if loss <= task.checkpoints.loss_at_most:
            self.num_written += 1
            Path(task.checkpoints.last).parent.mkdir(parents=True, exist_ok=True)
            Path(task.checkpoints.last).write_text(str(task.num_steps))
        return builders.evaluation(loss, num_steps=task.num_steps, sequence_losses_nats=(loss - 0.01, loss + 0.01))


def loss_of(task: EvaluationRequest) -> float:
    shape = task.architecture
    size = (
        shape.num_hidden_layers * 7 + shape.hidden_size / 8 + shape.intermediate_size / 64 + shape.num_attention_heads
    )
    return 3.1 + 3 / (size * task.num_steps**0.5)


@dataclass
class Run:
    """A job of a store, with its artifacts in a folder."""

    search: Search
    folder: Path

    def to_end(self, backend: FakeBackend | None = None) -> WritingBackend:
        backend = backend or WritingBackend()
        coordinator = self.search.coordinator(backend)
        coordinator._artifacts = self.folder
        assert coordinator.run(self.search.job_id).status is JobStatus.SUCCEEDED
        assert isinstance(backend, WritingBackend)
        return backend

    @property
    def files(self) -> set[str]:
        return {file.stem for file in (self.folder / "checkpoints").glob("*/*")}

    def files_of(self, *candidates: Candidate) -> set[str]:
        job = self.search.store.job(self.search.job_id)
        return {CheckpointNames(job).name(each, len(each.legs)) for each in candidates}

    @property
    def ranked(self) -> list[Candidate]:
        passed = [each for each in self.search.candidates() if each.status is CandidateStatus.SUCCEEDED]
        return sorted(passed, key=lambda each: (-(each.score or 0), each.number))


def new_run(store: Store, folder: Path, of: JobSpec, job_id: str = "job-1") -> Run:
    return Run(Search(store, of, job_id), folder)


@pytest.mark.parametrize("count", [0, 1, 3, 100])
def test_a_search_keeps_its_best(store: Store, tmp_path: Path, count: int) -> None:
    run = new_run(store, tmp_path, spec(keep_checkpoints=count))
    backend = run.to_end()
    assert run.files == run.files_of(*run.ranked[:count])
    assert backend.num_written >= len(run.files)


def test_few_that_are_not_kept_are_written(store: Store, tmp_path: Path) -> None:
    """A task tells up to which loss its candidate may yet be among the best."""
    run = new_run(store, tmp_path, spec(keep_checkpoints=1))
    assert run.to_end(WritingBackend(capacity=1)).num_written <= len(run.search.candidates()) / 2


def test_what_is_beyond_a_limit_is_kept_last(store: Store, tmp_path: Path) -> None:
    run = new_run(store, tmp_path, replace(spec(keep_checkpoints=100), limits=Limits(max_loss_nats=3.14)))
    run.to_end()
    statuses = {each.status for each in run.search.candidates()}
    assert statuses == {CandidateStatus.SUCCEEDED, CandidateStatus.REJECTED}
    assert run.files == run.files_of(*run.search.candidates())


def test_halving_goes_on_from_files_and_removes_them(store: Store, tmp_path: Path) -> None:
    run = new_run(store, tmp_path, HALVING)
    backend = run.to_end()
    waves = {each.legs for each in run.search.candidates()}
    assert waves == {(10,), (10, 30), (10, 30, 90)}
    assert backend.num_retrained == 0
    assert run.files == run.files_of(run.ranked[0])


@pytest.mark.slow
def test_a_halving_that_was_killed_ends_as_if_it_had_not_been(new_store: Any, tmp_path: Path) -> None:
    whole = new_run(new_store(), tmp_path / "whole", HALVING)
    calls = whole.to_end().num_calls
    for dies_at in range(5, calls, 7):
        run = new_run(new_store(), tmp_path / str(dies_at), HALVING)
        with pytest.raises(Death):
            run.to_end(WritingBackend(dies_at=dies_at))
        store = run.search.store
        store.release_job("job-1", store.job("job-1").lease_owner or "")
        run.to_end()
        assert [told(each) for each in run.search.candidates()] == [told(each) for each in whole.search.candidates()]
        assert run.files == run.files_of(run.ranked[0])


def told(candidate: Candidate) -> Candidate:
    """A candidate without what only this run has given it."""
    return replace(candidate, id=0)


def test_who_has_lost_a_file_trains_it_again(store: Store, tmp_path: Path) -> None:
    run = new_run(store, tmp_path, HALVING)
    backend = WritingBackend()
    backend.before_event = lambda: [file.unlink() for file in (tmp_path / "checkpoints").glob("*/*")]
    run.to_end(backend)
    assert backend.num_retrained > 0
    assert len({each.legs for each in run.search.candidates()}) == 3


def test_jobs_that_train_alike_name_files_alike(store: Store, tmp_path: Path) -> None:
    first = new_run(store, tmp_path, replace(SPEC, name="one"))
    second = new_run(store, tmp_path, replace(spec(strategy="halving", steps=10), name="other"), "job-2")
    first.to_end()
    second.to_end()
    same = zip(first.search.candidates(), second.search.candidates(), strict=False)
    assert all(first.files_of(one) == second.files_of(other) for one, other in same)
    longer = replace(first.ranked[0], num_steps=11)
    assert first.files_of(longer) != first.files_of(first.ranked[0])
