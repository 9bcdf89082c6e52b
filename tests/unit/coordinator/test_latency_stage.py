"""Shapes and their teacher as the coordinator has them measured.

Tests ose/coordinator/turn_taking.py too.
"""

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, TEACHER, Search

from ose.coordinator import turn_taking
from ose.coordinator.cache_keys import latency_keys, shape_key
from ose.coordinator.latency_stage import WORKER
from ose.core.job import CandidateStatus, JobStatus, TrialStatus
from ose.core.messages import TimedModel
from ose.errors import EvaluationError, WorkerLostError
from ose.store.base import Store

ODD = MEMBERS[3]


def test_the_teacher_and_every_shape_are_measured_once_with_one_probe(search: Search) -> None:
    backend = FakeBackend()
    search.run(backend)
    assert backend.measured == [TEACHER, *MEMBERS]
    assert (backend.num_probes, backend.num_starts) == (1, 1)
    teacher = search.store.job(search.job_id).teacher_latency
    assert teacher is not None and teacher.p50_ms == TEACHER.hidden_size * TEACHER.num_hidden_layers


def test_jobs_share_latencies(store: Store) -> None:
    Search(store, job_id="job-1").run()
    second, backend = Search(store, job_id="job-2"), FakeBackend()
    assert second.run(backend).status is JobStatus.SUCCEEDED
    assert (backend.measured, backend.num_starts) == ([], 0)
    assert all(candidate.latency for candidate in second.candidates())


def test_a_noisy_latency_serves_no_other_job(store: Store) -> None:
    first = Search(store, job_id="job-1")
    first.run(FakeBackend(flagged=frozenset({ODD})))
    latency = first.candidate(ODD).latency
    assert latency is not None and latency.is_flagged
    second, backend = Search(store, job_id="job-2"), FakeBackend(latencies={ODD: [7.0]})
    second.run(backend)
    assert backend.measured == [TEACHER, ODD], "the teacher takes turns with what is measured"
    latency = second.candidate(ODD).latency
    assert latency is not None and (latency.p50_ms, latency.is_flagged) == (pytest.approx(7.0), False)


def test_ratios_of_another_job_are_told_in_the_times_of_this_one(store: Store) -> None:
    Search(store, job_id="job-1").run(FakeBackend(flagged=frozenset({ODD}), latencies={TEACHER: [1000.0]}))
    second = Search(store, job_id="job-2")
    second.run(FakeBackend(latencies={TEACHER: [500.0], ODD: [7.0]}))
    teacher = store.job("job-2").teacher_latency
    assert teacher is not None and teacher.p50_ms == 500.0, "of two good times the shorter one is less disturbed"
    for shape in MEMBERS:
        latency = second.candidate(shape).latency
        alone = 7.0 if shape == ODD else shape.hidden_size * shape.num_hidden_layers / 2
        assert latency is not None and latency.p50_ms == pytest.approx(alone)


def test_a_job_takes_the_time_that_another_one_has_found_for_its_teacher(store: Store) -> None:
    Search(store, job_id="job-1").run(FakeBackend(flagged=frozenset({ODD}), latencies={TEACHER: [500.0]}))
    second = Search(store, job_id="job-2")
    second.run(FakeBackend(latencies={TEACHER: [1000.0], ODD: [14.0]}))
    teacher, latency = store.job("job-2").teacher_latency, second.candidate(ODD).latency
    assert teacher is not None and teacher.p50_ms == 500.0
    assert latency is not None and latency.p50_ms == pytest.approx(7.0)


def test_what_was_measured_before_models_took_turns_is_not_found(search: Search) -> None:
    job = search.store.job(search.job_id)
    for architecture in (TEACHER, *MEMBERS):
        model = TimedModel(teacher=job.teacher, architecture=architecture, is_teacher=architecture == TEACHER)
        _, protocol, device = latency_keys(model, job.spec.latency, builders.fingerprint())
        search.store.add_latency(shape_key(model), protocol, device, builders.latency(), builders.NOW)
    backend = FakeBackend()
    search.run(backend)
    assert backend.measured == [TEACHER, *MEMBERS]


def test_a_candidate_that_cannot_be_measured_fails_alone(search: Search) -> None:
    backend = FakeBackend(latencies={ODD: [EvaluationError("no such kernel")]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    candidate = search.candidate(ODD)
    assert candidate.failure is not None
    assert (candidate.status, candidate.failure.code) == (CandidateStatus.FAILED, "evaluation")
    assert candidate.failure.message == "no such kernel"
    assert "EvaluationError" in candidate.failure.traceback
    assert [trial.worker for trial in search.trials(candidate)] == [WORKER]
    assert backend.trained == [member for member in MEMBERS if member != ODD]


def test_a_probe_that_died_is_opened_again(search: Search) -> None:
    backend = FakeBackend(latencies={ODD: [WorkerLostError("died"), 5.0]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    candidate = search.candidate(ODD)
    assert candidate.latency is not None and candidate.latency.p50_ms == pytest.approx(5.0)
    assert [trial.status for trial in search.trials(candidate)] == [TrialStatus.SUCCEEDED], "it was not to blame"
    assert backend.measured == [TEACHER, *MEMBERS[:4], TEACHER, TEACHER, *MEMBERS]


def test_a_shape_that_kills_every_probe_fails_alone(search: Search) -> None:
    backend = FakeBackend(latencies={ODD: [WorkerLostError("died")]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert search.candidate(ODD).status is CandidateStatus.FAILED
    assert search.candidate(ODD).num_attempts == 2
    assert backend.measured.count(MEMBERS[-1]) <= 2, "halves that are not to blame are measured once"
    others = [candidate for candidate in search.candidates() if candidate.architecture != ODD]
    assert {candidate.status for candidate in others} == {CandidateStatus.SUCCEEDED}


def test_shapes_that_do_not_fit_at_once_share_the_teacher(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_taking, "_MOST_AT_ONCE", 2)
    backend = FakeBackend(latencies={TEACHER: [1000.0, 500.0]})
    search.run(backend)
    assert backend.measured.count(TEACHER) == -(-len(MEMBERS) // 2)
    teacher, last = search.store.job(search.job_id).teacher_latency, search.candidate(MEMBERS[-1]).latency
    assert teacher is not None and teacher.p50_ms == 1000.0, "one job has one scale"
    assert last is not None and last.ratio is not None and last.p50_ms == pytest.approx(1000.0 * last.ratio)


def test_a_probe_that_died_under_the_teacher_is_opened_again(search: Search) -> None:
    backend = FakeBackend(latencies={TEACHER: [WorkerLostError("died"), 900.0]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert backend.measured == [TEACHER, TEACHER, TEACHER, *MEMBERS], "alone, and then with all others"


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [([WorkerLostError("died"), WorkerLostError("died again")], "died again"), ([EvaluationError("no GPU")], "no GPU")],
)
def test_a_job_fails_without_its_teachers_latency(search: Search, outcomes: list[Exception], message: str) -> None:
    backend = FakeBackend(latencies={TEACHER: outcomes})
    job = search.run(backend)
    assert job.failure is not None
    assert (job.status, job.failure.message) == (JobStatus.FAILED, message)
    assert backend.trained == []


def test_a_resumed_job_measures_only_what_is_missing(search: Search) -> None:
    def interrupt() -> None:
        if backend.trained:
            raise KeyboardInterrupt

    backend = FakeBackend(before_event=interrupt)
    with pytest.raises(KeyboardInterrupt):
        search.run(backend)
    again = FakeBackend()
    assert search.run(again).status is JobStatus.SUCCEEDED
    assert (again.measured, again.num_probes) == ([], 0)
