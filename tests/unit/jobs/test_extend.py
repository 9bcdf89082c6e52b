"""Which candidates an extension goes on with, and which jobs have one.

Tests ose/strategies/extension.py too.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

import builders
import pytest
from builders import NOW

from ose.core.job import Job, JobStatus, TeacherFacts
from ose.core.score import Score
from ose.core.spec import CorpusSpec, Extension, Hyperparameters, SearchSpec, TeacherSpec
from ose.errors import ConflictError, InvalidInputError
from ose.inputs.corpora import inspect_corpus
from ose.inputs.teachers import inspect_teacher
from ose.jobs.extend import MOST_LEADERS, extended_job, leaders
from ose.leaderboard.read import read_leaderboard
from ose.store.base import Store
from ose.store.database import open_store
from ose.store.new_rows import NewJob


@pytest.fixture
def store(store_url: str):
    with closing(open_store(store_url)) as store:
        yield store


@pytest.fixture
def database_kind() -> str:
    return "sqlite"


@pytest.fixture(scope="module")
def teacher(tiny_roberta: Path) -> TeacherFacts:
    return inspect_teacher(TeacherSpec(model=str(tiny_roberta)))


@pytest.fixture
def new_job(tmp_path: Path, teacher: TeacherFacts) -> NewJob:
    text = tmp_path / "text.txt"
    text.write_text("one line\n")
    corpus = CorpusSpec(train=(str(text),), sequence_length=16)
    spec = builders.job_spec(
        space=builders.search_space(hidden_size=(16, 32), intermediate_size=(32, 64)),
        corpus=corpus,
        search=SearchSpec(steps=10, hyperparameters=(Hyperparameters(batch_size=4),)),
    )
    spec = replace(spec, latency=replace(spec.latency, sequence_length=16))
    return builders.new_job(spec=spec, teacher=teacher, corpus=inspect_corpus(corpus))


def end(store: Store, new: NewJob, losses: Sequence[Sequence[float]], status: JobStatus = JobStatus.SUCCEEDED) -> Job:
    """A job whose candidates are all equally fast; each has its losses of the held-out sequences."""
    store.add_job(new)
    job = store.claim_job(new.id, "owner", NOW, NOW)
    assert job is not None
    latency = store.add_latency("shape", "protocol", "device", builders.latency(1.0), NOW)
    store.record_teacher(new.id, "owner", quality=builders.teacher_quality())
    teacher_latency = store.add_latency("teacher", "protocol", "device", builders.latency(10.0), NOW)
    store.record_teacher(new.id, "owner", latency_id=teacher_latency.id)
    proposed = [builders.new_candidate(n, num_parameters=1000) for n in range(1, len(losses) + 1)]
    for candidate, sequence_losses in zip(store.add_candidates(new.id, "owner", proposed), losses, strict=True):
        store.attach_latency(new.id, "owner", [candidate.id], latency.id)
        trial = f"{new.id}-{candidate.number}"
        store.open_trial(new.id, "owner", candidate.id, trial, "worker", NOW)
        loss = sum(sequence_losses) / len(sequence_losses)
        evaluation = builders.evaluation(loss, sequence_losses_nats=tuple(sequence_losses))
        store.record_success(trial, evaluation, Score(value=1 / loss, stderr=0.0), NOW)
    store.finish_job(new.id, "owner", status, NOW)
    return store.job(new.id)


def numbers(store: Store, job: Job, top: int | None = None) -> list[int]:
    return [candidate.number for candidate in leaders(store, job, top)]


def test_the_best_goes_on_with_all_that_do_not_differ_from_it(store: Store, new_job: NewJob) -> None:
    hard = [4.0, 5.0, 6.0]
    alike, apart = [4.02, 4.99, 6.02], [4.1, 5.1, 6.11]
    job = end(store, new_job, [apart, alike, hard, alike, [5.0, 6.0, 7.0]])
    assert numbers(store, job) == [3, 2, 4]


@pytest.mark.parametrize("draw", range(5))
def test_what_goes_on_is_the_first_group_of_the_board(store: Store, new_job: NewJob, draw: int) -> None:
    """Whatever the losses, and whatever the latencies' errors add."""
    random = Random(draw)
    hard = [random.gauss(5, 1) for _ in range(6)]
    losses = [[each + 0.05 * place + random.gauss(0, 0.1) for each in hard] for place in range(7)]
    job = end(store, new_job, losses)
    board = read_leaderboard(store, job.id)
    first_group = [row.candidate for row in board.rows if row.group == 1]
    best_first = [row.candidate for row in board.rows]
    assert numbers(store, job) == (first_group if len(first_group) > 1 else best_first[:2])


def test_two_go_on_at_least_and_a_bound_at_most(store: Store, new_job: NewJob) -> None:
    job = end(store, new_job, [[4.0, 5.0], [4.5, 5.5], [4.6, 5.6]])
    assert numbers(store, job) == [1, 2]
    many = replace(new_job, id="job-2")
    assert len(numbers(store, end(store, many, [[4.0, 5.0 + n / 1e6] for n in range(20)]))) == MOST_LEADERS


@pytest.mark.parametrize("top", [1, 2, 5])
def test_a_number_asked_for_is_taken_in_order(store: Store, new_job: NewJob, top: int) -> None:
    job = end(store, new_job, [[4.0, 5.0], [4.5, 5.5], [4.1, 5.6]])
    assert numbers(store, job, top) == [1, 3, 2][:top]


def test_the_new_job_is_the_old_one_with_more_steps(store: Store, new_job: NewJob) -> None:
    job = end(store, new_job, [[4.0, 5.0], [4.5, 5.5]])
    new = extended_job(store, job.id, 30, None, lambda: NOW)
    assert new.spec.extends is not None
    assert (new.spec.extends.job, new.spec.extends.data_steps) == ("job-1", (10,))
    assert [(each.candidate, each.phases) for each in new.spec.extends.candidates] == [(1, (10,)), (2, (10,))]
    plain = replace(new.spec, name=job.name, extends=None, search=replace(new.spec.search, steps=10))
    assert plain == job.spec
    assert (new.teacher, new.corpus) == (job.teacher, job.corpus)
    assert new.spec.data_steps == (10, 30)
    assert store.add_job(new).spec == new.spec


@pytest.mark.parametrize("steps", [1, 10])
def test_no_more_steps_are_no_extension(store: Store, new_job: NewJob, steps: int) -> None:
    end(store, new_job, [[4.0, 5.0]])
    with pytest.raises(InvalidInputError, match="job-1 has 10 steps already"):
        extended_job(store, "job-1", steps, None, lambda: NOW)
    with pytest.raises(InvalidInputError, match="top must be"):
        extended_job(store, "job-1", 30, 0, lambda: NOW)


def test_a_job_that_runs_or_has_nothing_is_not_extended(store: Store, new_job: NewJob) -> None:
    store.add_job(new_job)
    with pytest.raises(ConflictError, match="job-1 is pending"):
        extended_job(store, "job-1", 30, None, lambda: NOW)
    end(store, replace(new_job, id="other"), [], JobStatus.FAILED)
    with pytest.raises(ConflictError, match="no candidate of job other"):
        extended_job(store, "other", 30, None, lambda: NOW)


def test_other_text_or_another_teacher_is_not_gone_on_with(store: Store, new_job: NewJob) -> None:
    end(store, replace(new_job, teacher=replace(new_job.teacher, digest="0" * 64)), [[4.0, 5.0]])
    with pytest.raises(ConflictError, match="the teacher of job job-1 has changed"):
        extended_job(store, "job-1", 30, None, lambda: NOW)
    end(store, replace(new_job, id="other"), [[4.0, 5.0]])
    with Path(new_job.spec.corpus.train[0]).open("a") as text:
        text.write("one line more\n")
    with pytest.raises(ConflictError, match="the text of job other has changed"):
        extended_job(store, "other", 30, None, lambda: NOW)


@pytest.mark.parametrize("data_steps", [(), (10, 10), (20, 10), (0,), (-5, 3)])
def test_steps_of_data_ascend(new_job: NewJob, data_steps: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInputError, match="data_steps"):
        Extension(job="job-1", candidates=(object(),), data_steps=data_steps)  # type: ignore[arg-type]
