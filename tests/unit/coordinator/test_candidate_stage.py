"""What becomes of candidates. Every candidate but the ones named trains to a loss of 4 nats."""

from dataclasses import replace

import builders
import pytest
from fake_backend import FakeBackend, Outcome
from fake_search import MEMBERS, SPEC, Search, spec

from ose.core.inheritance import InheritanceSpec
from ose.core.job import Candidate, CandidateStatus, FailureReport, JobStatus, TrialStatus
from ose.core.messages import EvaluationRequest
from ose.core.objectives import measures, teacher_measures
from ose.core.score import ScoreRule, score
from ose.core.spec import Hyperparameters, Limits
from ose.store.base import Store

FIRST, SECOND, LAST = MEMBERS[0], MEMBERS[1], MEMBERS[-1]
NAN = FailureReport(code="non_finite_loss", message="the loss is nan", traceback="Traceback: nan")
LOST = FailureReport(code="worker_lost", message="worker 1 died", traceback="Traceback: lost", is_retryable=True)
FULL = FailureReport(code="out_of_memory", message="out of memory", traceback="Traceback: oom", is_retryable=True)


def end_of(search: Search, *outcomes: Outcome) -> Candidate:
    """Run the search; the attempts at its second candidate go as listed."""
    backend = FakeBackend(outcomes={SECOND: outcomes})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    others = [each for each in search.candidates() if each.architecture != SECOND]
    assert {each.status for each in others} == {CandidateStatus.SUCCEEDED}
    return search.candidate(SECOND)


def told(search: Search, candidate: Candidate) -> list[tuple[TrialStatus, str | None]]:
    return [(trial.status, trial.failure and trial.failure.code) for trial in search.trials(candidate)]


def test_once_some_are_trained_the_time_left_is_told_once(search: Search) -> None:
    told: list[str] = []
    coordinator = search.coordinator(FakeBackend())
    coordinator._progress.say = told.append
    coordinator.run(search.job_id)
    [line] = told
    left = len(MEMBERS) - 2 * FakeBackend.capacity
    assert line.endswith(f"s left, by the operations of {left} candidates")


def test_a_candidate_is_stored_with_its_score_and_raw_measures(search: Search) -> None:
    candidate = end_of(search, 3.5)
    job = search.store.job(search.job_id)
    assert candidate.latency is not None and candidate.evaluation is not None
    expected = score(
        measures(candidate.num_parameters, candidate.latency, candidate.evaluation), teacher_measures(job), ScoreRule()
    )
    assert (candidate.score, candidate.score_stderr) == (expected.value, expected.stderr)
    assert candidate.evaluation.loss_nats == 3.5


def test_a_failure_is_recorded_with_code_and_traceback(search: Search) -> None:
    candidate = end_of(search, NAN)
    assert (candidate.status, candidate.failure, candidate.score) == (CandidateStatus.FAILED, NAN, None)
    assert told(search, candidate) == [(TrialStatus.FAILED, "non_finite_loss")]


@pytest.mark.parametrize("failure", [LOST, FULL])
def test_a_passing_failure_is_tried_again(search: Search, failure: FailureReport) -> None:
    candidate = end_of(search, failure, 4.0)
    assert candidate.status is CandidateStatus.SUCCEEDED
    assert told(search, candidate) == [(TrialStatus.FAILED, failure.code), (TrialStatus.SUCCEEDED, None)]


@pytest.mark.parametrize("attempts", [1, 2, 4])
def test_a_passing_failure_that_stays_is_final(store: Store, attempts: int) -> None:
    search = Search(store, spec(max_attempts=attempts))
    candidate = end_of(search, LOST)
    assert (candidate.status, candidate.failure) == (CandidateStatus.FAILED, LOST)
    assert told(search, candidate) == attempts * [(TrialStatus.FAILED, "worker_lost")]


def test_a_second_failure_of_another_kind_is_final(search: Search) -> None:
    candidate = end_of(search, LOST, NAN)
    assert (candidate.status, candidate.failure, candidate.num_attempts) == (CandidateStatus.FAILED, NAN, 2)


def test_too_many_parameters_are_rejected_unmeasured_and_untrained(store: Store) -> None:
    sizes = sorted({each.num_parameters for each in probed_candidates(store)})
    limits = Limits(max_parameters=sizes[2])
    search, backend = Search(store, replace(SPEC, limits=limits), "job-2"), FakeBackend()
    search.run(backend)
    beyond = [each for each in search.candidates() if each.num_parameters > sizes[2]]
    assert beyond
    assert {each.status for each in beyond} == {CandidateStatus.REJECTED}
    assert beyond[0].rejection == f"{beyond[0].num_parameters:,} parameters > {sizes[2]:,}"
    assert {each.architecture for each in beyond}.isdisjoint(backend.measured + backend.trained)
    assert len(backend.trained) == len(MEMBERS) - len(beyond)


def test_a_slow_candidate_is_rejected_untrained(store: Store) -> None:
    search = Search(store, replace(SPEC, limits=Limits(max_latency_ms=50.0)))
    backend = FakeBackend(latencies={each: [10.0] for each in MEMBERS} | {LAST: [50.5], FIRST: [50.0]})
    search.run(backend)
    candidate = search.candidate(LAST)
    assert (candidate.status, candidate.rejection) == (CandidateStatus.REJECTED, "50.500 ms > 50 ms")
    assert candidate.latency is not None and candidate.latency.p50_ms == 50.5
    assert backend.trained == MEMBERS[:-1]


def test_a_bad_loss_is_rejected_after_training_and_kept(store: Store) -> None:
    search = Search(store, replace(SPEC, limits=Limits(max_loss_nats=4.5)))
    search.run(FakeBackend(outcomes={SECOND: [4.6]}))
    candidate = search.candidate(SECOND)
    assert (candidate.status, candidate.rejection) == (CandidateStatus.REJECTED, "4.600 nats > 4.5")
    assert candidate.evaluation is not None and candidate.evaluation.loss_nats == 4.6


def test_rejecting_all_fails_the_job_with_advice(store: Store) -> None:
    job = Search(store, replace(SPEC, limits=Limits(max_parameters=1))).run()
    assert job.failure is not None
    assert job.failure.message == f"no candidate passed: {len(MEMBERS)} rejected; loosen the limits"


def test_every_element_of_theta_is_trained_on_one_latency(store: Store) -> None:
    theta = (Hyperparameters(learning_rate=1e-3), Hyperparameters(learning_rate=1e-4))
    search, backend = Search(store, spec(hyperparameters=theta)), FakeBackend()
    search.run(backend)
    tasks = [task for task in backend.tasks if isinstance(task, EvaluationRequest)]
    assert [(t.architecture, t.hyperparameters) for t in tasks] == [(m, t) for m in MEMBERS for t in theta]
    assert backend.measured.count(FIRST) == 1


def test_workers_are_kept_busy_but_not_far_ahead(search: Search) -> None:
    backlog: list[int] = []
    backend = FakeBackend(capacity=3)
    backend.before_event = lambda: backlog.append(len(backend._queue))
    search.run(backend)
    assert max(backlog[-len(MEMBERS) :]) == 6


def test_a_task_says_all_that_decides_a_candidate(store: Store) -> None:
    search = Search(store, spec(steps=7, seed=3, initialization="random", weight_clip=0.5, epsilon=100))
    backend = FakeBackend()
    search.run(backend)
    [task] = [task for task in backend.tasks if isinstance(task, EvaluationRequest)]
    job = search.store.job(search.job_id)
    assert (task.architecture, task.hyperparameters, task.teacher) == (FIRST, Hyperparameters(), job.teacher)
    assert (task.num_steps, task.seed, task.initialization, task.weight_clip) == (7, 3, "random", 0.5)
    assert task.id == search.trials(search.candidate(FIRST))[0].id


def test_candidates_that_differ_in_layers_alone_share_one_latency(store: Store) -> None:
    layers = ("bottom", "top", (0, 2))
    space = builders.search_space(num_hidden_layers=(2,), layers=layers)
    search, backend = Search(store, replace(spec(inheritance=InheritanceSpec(tokens=448)), space=space)), FakeBackend()
    search.run(backend)
    shapes = {member.architecture for member in space.members(builders.COUNTS)}
    assert len(backend.measured) == len(shapes) + 1  # and the teacher
    assert len(search.candidates()) == len(layers) * len(shapes)
    assert all(candidate.latency is not None for candidate in search.candidates())
    tasks = [task for task in backend.tasks if isinstance(task, EvaluationRequest)]
    assert [candidate.layers for candidate in search.candidates()] == len(shapes) * list(layers)
    assert [task.inheritance for task in tasks] == [
        InheritanceSpec(layers=choice, tokens=448) for _ in shapes for choice in layers
    ]


def test_without_the_axis_the_jobs_own_layers_are_kept(store: Store) -> None:
    search, backend = Search(store, spec(inheritance=InheritanceSpec(layers="bottom"), epsilon=100)), FakeBackend()
    search.run(backend)
    [task] = [task for task in backend.tasks if isinstance(task, EvaluationRequest)]
    assert task.inheritance.layers == "bottom"
    assert search.candidate(FIRST).layers is None


def probed_candidates(store: Store) -> list[Candidate]:
    search = Search(store)
    search.run()
    return search.candidates()
