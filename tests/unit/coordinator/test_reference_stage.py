"""Reference rows are made once, after the candidates, whatever happens in between, and are none of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import builders
import pytest
from fake_backend import Death, FakeBackend
from fake_search import MEMBERS, SPEC, TEACHER, Clock, Search

from ose.core.architecture import Architecture
from ose.core.job import FailureReport, JobStatus
from ose.core.messages import EvaluationRequest, ReferenceRequest
from ose.core.reference import BAG_OF_WORDS, HALF_DEPTH, LABELS_ALONE, STATIC_EMBEDDING
from ose.core.spec import Columns, CorpusSpec
from ose.errors import EvaluationError
from ose.families.counts import counts_of
from ose.leaderboard.read import read_leaderboard
from ose.store.base import Store

LABELLED = CorpusSpec(train=("text.csv",), columns=Columns(label="label"))
HALF = replace(TEACHER, num_hidden_layers=TEACHER.num_hidden_layers // 2)
ALL = [HALF_DEPTH, LABELS_ALONE, STATIC_EMBEDDING, BAG_OF_WORDS]
BEST = MEMBERS[5]
NON_FINITE = FailureReport(code="non_finite_loss", message="the loss is nan")
LOST = FailureReport(code="worker_lost", message="it died", is_retryable=True)


class Classification(Search):
    """A search of a classifier's students."""

    def __init__(self, store: Store, corpus: CorpusSpec = LABELLED, shape: Architecture = TEACHER, **spec: Any) -> None:
        facts = builders.teacher_facts(task="text_classification", architecture=shape)
        self.store, self.job_id, self.clock = store, "job-1", Clock()
        store.add_job(builders.new_job("job-1", spec=replace(SPEC, corpus=corpus, **spec), teacher=facts))

    def names(self) -> list[str]:
        return [each.name for each in self.store.references(self.job_id)]


def _backend(**changes: Any) -> FakeBackend:
    return FakeBackend(outcomes={BEST: [1.0], **changes.pop("outcomes", {})}, **changes)


def _made(backend: FakeBackend) -> list[str]:
    """What was asked of workers beyond the candidates."""
    linear = [task.name for task in backend.tasks if isinstance(task, ReferenceRequest)]
    labels = [LABELS_ALONE for task in backend.tasks if isinstance(task, EvaluationRequest) and task.learns == "labels"]
    return [HALF_DEPTH] * backend.trained.count(HALF) + labels + linear


def test_each_is_made_after_the_candidates(store: Store) -> None:
    search, backend = Classification(store), _backend()
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert search.names() == _made(backend) == ALL
    assert backend.trained[: len(MEMBERS)] == MEMBERS


def test_half_depth_starts_as_candidates_do_with_the_layers_that_distilbert_keeps(store: Store) -> None:
    search, backend = Classification(store), _backend()
    search.run(backend)
    candidate, *_, half, _ = (task for task in backend.tasks if isinstance(task, EvaluationRequest))
    expected = replace(candidate.inheritance, layers="distilbert")
    assert (half.architecture, half.inheritance, half.learns) == (HALF, expected, "teacher")
    assert (half.num_steps, half.hyperparameters, half.folder) == (
        candidate.num_steps,
        candidate.hyperparameters,
        candidate.folder,
    )
    stored = search.store.references("job-1")[0]
    assert stored.latency is not None and stored.latency.p50_ms == HALF.hidden_size * HALF.num_hidden_layers
    assert stored.num_parameters == counts_of(search.store.job("job-1").teacher).parameters(HALF).total


def test_labels_alone_are_learnt_by_the_best_candidate_again(store: Store) -> None:
    search, backend = Classification(store), _backend()
    search.run(backend)
    own, again = (task for task in backend.tasks if isinstance(task, EvaluationRequest) and task.architecture == BEST)
    assert again == replace(own, id=again.id, learns="labels", checkpoints=None)
    stored = search.store.references("job-1")[1]
    assert stored.latency == search.candidate(BEST).latency
    assert backend.measured.count(BEST) == 1


def test_without_labels_the_teachers_answers_are_learnt(store: Store) -> None:
    search = Classification(store, corpus=CorpusSpec(train=("text.csv",)))
    search.run(_backend())
    assert {each.name: each.learns for each in search.store.references("job-1")} == {
        HALF_DEPTH: "teacher",
        STATIC_EMBEDDING: "teacher",
        BAG_OF_WORDS: "teacher",
    }


def test_a_teacher_of_one_layer_has_no_half(store: Store) -> None:
    space = builders.search_space(num_hidden_layers=(1,))
    search = Classification(store, shape=replace(TEACHER, num_hidden_layers=1), space=space)
    assert search.run().status is JobStatus.SUCCEEDED
    assert search.names() == ALL[1:]


def test_a_job_that_wants_none_has_none(store: Store) -> None:
    search, backend = Classification(store, references="off"), _backend()
    search.run(backend)
    assert search.names() == _made(backend) == []


def test_a_task_without_them_has_none(search: Search) -> None:
    backend = FakeBackend()
    search.run(backend)
    assert (search.store.references(search.job_id), _made(backend)) == ([], [])


@pytest.mark.slow
def test_after_a_death_at_any_moment_each_is_there_once(store: Store, new_store: Any) -> None:
    counting = _backend()
    Classification(store).run(counting)
    first = counting.num_calls - 20  # the last candidate ends before that
    for dies_at in range(first, counting.num_calls + 1):
        search, dying, after = Classification(new_store()), _backend(dies_at=dies_at), _backend()
        with pytest.raises(Death):
            search.run(dying)
        known = search.names()
        search.store.release_job("job-1", search.store.job("job-1").lease_owner or "")
        assert search.run(after).status is JobStatus.SUCCEEDED
        assert search.names() == ALL
        assert _made(after) == ALL[len(known) :], dies_at


def test_one_that_fails_says_why_and_fails_no_job(store: Store) -> None:
    search = Classification(store)
    job = search.run(_backend(outcomes={HALF: [NON_FINITE]}))
    assert job.status is JobStatus.SUCCEEDED
    first, *rest = search.store.references("job-1")
    assert first.error is not None and (first.error.code, first.loss_nats) == ("non_finite_loss", None)
    assert all(each.error is None for each in rest)


def test_what_may_pass_is_tried_once_more(store: Store) -> None:
    search, backend = Classification(store), _backend(stages={ReferenceRequest: [LOST]})
    search.run(backend)
    assert [each.error for each in search.store.references("job-1")] == [None] * 4


def test_a_latency_that_cannot_be_measured_leaves_the_rest(store: Store) -> None:
    search = Classification(store)
    search.run(_backend(latencies={HALF: [EvaluationError("no such kernel")]}))
    first = search.store.references("job-1")[0]
    assert (first.latency, first.error, first.loss_nats) == (None, None, 4.0)


def test_a_job_without_a_candidate_that_passed_has_none(store: Store) -> None:
    search, backend = Classification(store), FakeBackend(outcomes={member: [NON_FINITE] for member in MEMBERS})
    assert search.run(backend).status is JobStatus.FAILED
    assert search.names() == _made(backend) == []


def test_they_are_never_ranked_or_counted(store: Store) -> None:
    Classification(store).run(_backend(outcomes={HALF: [0.001]}))
    board = read_leaderboard(store, "job-1")
    assert sum(store.count_candidates("job-1").values()) == len(board.rows) == len(MEMBERS)
    assert {row.architecture for row in board.rows} == set(MEMBERS)
    assert sorted(row.rank or 0 for row in board.rows) == list(range(1, len(MEMBERS) + 1))
    assert board.references is not None and [row.name for row in board.references] == ALL
