import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, TEACHER, Search

from ose.coordinator.latency_stage import WORKER
from ose.core.job import CandidateStatus, JobStatus, TrialStatus
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
    assert backend.measured == [ODD]
    latency = second.candidate(ODD).latency
    assert latency is not None and (latency.p50_ms, latency.is_flagged) == (7.0, False)


def test_what_a_slow_machine_took_is_measured_again_once_it_is_known_to_be_slow(search: Search) -> None:
    backend = FakeBackend(
        latencies={TEACHER: [900.0, 700.0], ODD: [9.0, 7.0]},
        paces={TEACHER: [1.3, 1.0], **{member: [1.0] for member in MEMBERS}, ODD: [1.2, 1.05]},
    )
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert backend.measured == [TEACHER, *MEMBERS, TEACHER, ODD]
    assert backend.best_paces == [None, 1.3, *[1.0] * (len(MEMBERS) + 1)]
    teacher, latency = search.store.job(search.job_id).teacher_latency, search.candidate(ODD).latency
    assert teacher is not None and latency is not None
    assert (teacher.p50_ms, latency.p50_ms) == (700.0, 7.0)


def test_what_stays_slow_is_measured_again_only_once(search: Search) -> None:
    backend = FakeBackend(paces={**{member: [1.0] for member in MEMBERS}, ODD: [1.5]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert backend.measured.count(ODD) == 2


def test_a_second_measurement_that_fails_leaves_the_first(search: Search) -> None:
    backend = FakeBackend(
        latencies={ODD: [9.0, WorkerLostError("died")]}, paces={**{member: [1.0] for member in MEMBERS}, ODD: [1.5]}
    )
    assert search.run(backend).status is JobStatus.SUCCEEDED
    latency = search.candidate(ODD).latency
    assert latency is not None and latency.p50_ms == 9.0
    assert search.candidate(ODD).status is CandidateStatus.SUCCEEDED


def test_stored_latencies_of_a_slow_machine_are_measured_again_by_the_job_that_knows_better(store: Store) -> None:
    slow = {member: [2.0] for member in (TEACHER, *MEMBERS)}
    Search(store, job_id="job-1").run(FakeBackend(paces=slow, flagged=frozenset({ODD})))
    backend = FakeBackend(paces={member: [1.0] for member in slow})
    assert Search(store, job_id="job-2").run(backend).status is JobStatus.SUCCEEDED
    assert backend.measured == [ODD, TEACHER, *(member for member in MEMBERS if member != ODD)]


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
    assert candidate.latency is not None and candidate.latency.p50_ms == 5.0
    assert [trial.status for trial in search.trials(candidate)] == [TrialStatus.FAILED, TrialStatus.SUCCEEDED]
    assert (backend.num_probes, len(backend.measured)) == (2, len(MEMBERS) + 2)


def test_a_shape_that_kills_every_probe_fails_alone(search: Search) -> None:
    backend = FakeBackend(latencies={ODD: [WorkerLostError("died")]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert search.candidate(ODD).status is CandidateStatus.FAILED
    assert backend.measured.count(ODD) == search.candidate(ODD).num_attempts == 2


def test_a_probe_that_died_under_the_teacher_is_opened_again(search: Search) -> None:
    backend = FakeBackend(latencies={TEACHER: [WorkerLostError("died"), 900.0]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert backend.measured.count(TEACHER) == 2


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
