"""From a question to a job, and from the same question to the same job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_results import subset_score
from fake_search import Clock

from ose.coordinator.coordinator import Coordinator
from ose.core.inheritance import InheritanceSpec
from ose.core.job import Job, JobStatus
from ose.core.layer_subsets import LayerQuestion, SubsetScore
from ose.core.messages import DataRequest
from ose.core.progress import Silence
from ose.core.score import ScoreRule
from ose.core.spec import CorpusSpec, Hyperparameters, JobSpec, Limits, SearchSpec, TeacherSpec
from ose.errors import ConflictError, InvalidInputError
from ose.jobs.layer_report import LayerReport
from ose.jobs.layer_study import rank_layers
from ose.store.base import Store
from ose.store.database import open_store

RULES = {(0, 3), (1, 3), (0, 2), (0, 1), (2, 3)}
QUESTION = LayerQuestion(keep=2, steps=5, top=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


@pytest.fixture
def spec(tiny_roberta: Path, tmp_path: Path) -> JobSpec:
    """A job whose space, limits and score have nothing to do with a comparison of layers."""
    (tmp_path / "text.txt").write_text("some text")
    return builders.job_spec(
        teacher=TeacherSpec(model=str(tiny_roberta)),
        corpus=CorpusSpec(train=(str(tmp_path / "text.txt"),), sequence_length=16),
        latency=replace(builders.job_spec().latency, sequence_length=16),
        search=SearchSpec(
            epsilon=3,
            initialization="random",
            inheritance=InheritanceSpec(layers=(0, 1, 2), heads="norm"),
            hyperparameters=(Hyperparameters(batch_size=4), Hyperparameters(batch_size=8)),
        ),
        score=ScoreRule(formula="excess"),
        limits=Limits(max_parameters=1),
    )


class Asking:
    """A workspace whose workers are quick."""

    def __init__(self, store: Store) -> None:
        self.store, self.drafts, self.backend = store, [], FakeBackend()

    def ask(self, spec: JobSpec, question: LayerQuestion = QUESTION) -> LayerReport:
        return rank_layers(self.store, spec, question, self._score, self._run, Clock())

    def job(self) -> Job:
        [job] = self.store.jobs()
        return job

    def _score(self, draft: Job, keep: int) -> Sequence[SubsetScore]:
        self.drafts.append(draft)
        return [subset_score(layers) for size in (3, keep) for layers in combinations(range(4), size)]

    def _run(self, job_id: str) -> Job:
        return Coordinator(self.store, lambda _: self.backend, Path("/nowhere"), Silence(), Clock()).run(job_id)


@pytest.fixture
def asking(store: Store) -> Asking:
    return Asking(store)


def test_the_job_compares_layers_and_nothing_else(asking: Asking, spec: JobSpec) -> None:
    report = asking.ask(spec)
    job = asking.job()
    space, search = job.spec.space, job.spec.search
    assert job.name == "tiny-layers-2"
    assert set(space.layers) == RULES
    assert (space.num_hidden_layers, space.num_attention_heads) == ((2,), (4,))
    assert (space.hidden_size, space.intermediate_size) == ((32,), (64,))
    assert (search.epsilon, search.steps, search.initialization) == (1, 5, "inherit")
    assert search.hyperparameters == (Hyperparameters(batch_size=4, learning_rate=5e-4),)
    assert search.inheritance == InheritanceSpec(layers="elimination", heads="norm")
    assert (job.spec.limits, job.spec.score.exponents) == (Limits(), (0.0, 0.0, 1.0))
    assert {row.layers for row in report.rows} == RULES
    assert len(report.scores) == 4 + 6


@pytest.mark.slow
def test_the_best_untrained_are_trained_beside_the_rules(asking: Asking, spec: JobSpec) -> None:
    report = asking.ask(spec, replace(QUESTION, top=4))  # by their sums: 0,1  0,2  0,3  1,2
    assert {row.layers for row in report.rows} == RULES | {(1, 2)}


def test_the_data_are_those_of_the_job(asking: Asking, spec: JobSpec) -> None:
    asking.ask(spec)
    [draft] = asking.drafts
    job = asking.job()
    assert replace(draft.spec, space=job.spec.space) == job.spec
    assert (draft.teacher, draft.corpus) == (job.teacher, job.corpus)


def test_the_same_question_finds_its_job(asking: Asking, spec: JobSpec) -> None:
    assert asking.ask(spec) == asking.ask(spec)
    assert len(asking.store.jobs()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("change", ["steps", "top", "keep", "text"])
def test_another_question_is_another_job(change: str, asking: Asking, spec: JobSpec) -> None:
    asking.ask(spec)
    changes = {"steps": {"steps": 6}, "top": {"top": 4}, "keep": {"keep": 3}}.get(change, {})
    if change == "text":
        Path(spec.corpus.train[0]).write_text("some other text")
    asking.ask(spec, replace(QUESTION, **changes))
    assert len(asking.store.jobs()) == 2


def test_a_job_that_failed_is_tried_again(asking: Asking, spec: JobSpec) -> None:
    asking.backend = FakeBackend(
        stages={DataRequest: [builders.failure("storage", message="full", is_retryable=False)]}
    )
    with pytest.raises(ConflictError, match=r"job \w+ failed: full; the same command tries again"):
        asking.ask(spec)
    assert len(asking.ask(spec).rows) == len(RULES)
    assert asking.job().status is JobStatus.SUCCEEDED


@pytest.mark.parametrize("keep", [4, 5])
def test_something_must_be_left_out(asking: Asking, spec: JobSpec, keep: int) -> None:
    with pytest.raises(InvalidInputError, match=f"keep 1 to 3 of them, not {keep}"):
        asking.ask(spec, LayerQuestion(keep=keep))
    assert asking.store.jobs() == []


@pytest.mark.parametrize("field", ["keep", "steps", "top"])
def test_a_question_without_sense_is_refused(field: str) -> None:
    with pytest.raises(InvalidInputError, match=f"{field} must be positive"):
        LayerQuestion(**{"keep": 2, field: 0})
