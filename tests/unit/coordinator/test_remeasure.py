from dataclasses import replace

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, TEACHER, Search

from ose.core.job import CandidateStatus, JobStatus
from ose.core.objectives import measures, teacher_measures
from ose.core.score import score
from ose.core.spec import Limits
from ose.errors import ConflictError
from ose.store.base import Store

ODD = MEMBERS[3]


def remeasured(search: Search, backend: FakeBackend) -> FakeBackend:
    search.coordinator(backend).remeasure(search.job_id)
    return backend


def interrupted_after_one(search: Search, **options: object) -> None:
    def interrupt() -> None:
        if backend.trained:
            raise KeyboardInterrupt

    backend = FakeBackend(before_event=interrupt, **options)
    with pytest.raises(KeyboardInterrupt):
        search.run(backend)


def test_what_is_noisy_is_measured_again_and_scored_anew(search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({ODD}), latencies={ODD: [90.0]}))
    before = search.candidate(ODD)
    backend = remeasured(search, FakeBackend(latencies={ODD: [7.0]}))
    candidate, job = search.candidate(ODD), search.store.job(search.job_id)
    assert backend.measured == [TEACHER, ODD] and backend.trained == []
    assert before.latency is not None and before.latency.is_flagged
    assert candidate.latency is not None and not candidate.latency.is_flagged
    assert candidate.latency.p50_ms == pytest.approx(7.0)
    measured = measures(candidate.num_parameters, candidate.latency, candidate.evaluation)
    assert candidate.score == score(measured, teacher_measures(job), job.spec.score).value != before.score
    assert job.status is JobStatus.SUCCEEDED


def test_what_is_believed_is_left_alone(search: Search) -> None:
    search.run()
    assert remeasured(search, FakeBackend()).measured == []


def test_what_stays_noisy_stays_marked(search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({ODD})))
    remeasured(search, FakeBackend(flagged=frozenset({ODD})))
    latency = search.candidate(ODD).latency
    assert latency is not None and latency.is_flagged


def test_another_time_of_the_teacher_moves_all_that_are_told_by_it(search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({TEACHER}), latencies={TEACHER: [1000.0]}))
    ratios = {shape: search.candidate(shape).latency.ratio for shape in MEMBERS}
    backend = remeasured(search, FakeBackend(latencies={TEACHER: [500.0]}))
    job = search.store.job(search.job_id)
    assert backend.measured == [TEACHER]
    assert job.teacher_latency is not None and not job.teacher_latency.is_flagged
    for shape in MEMBERS:
        latency = search.candidate(shape).latency
        assert latency.ratio == ratios[shape]
        assert latency.p50_ms == pytest.approx(500.0 * ratios[shape])


def test_a_job_of_before_turns_were_taken_is_measured_whole(search: Search) -> None:
    search.run()
    former = search.store.add_latency("teacher", "p", "d", builders.latency(77.0), builders.NOW)
    search.store.replace_latencies(search.job_id, "", [], former.id)
    backend = remeasured(search, FakeBackend())
    assert backend.measured == [TEACHER, *MEMBERS]
    teacher = search.store.job(search.job_id).teacher_latency
    assert teacher is not None and teacher.ratio == 1 and teacher.p50_ms != 77.0


def test_a_resumed_job_measures_what_is_noisy_again(search: Search) -> None:
    interrupted_after_one(search, flagged=frozenset({ODD}))
    backend = FakeBackend(latencies={ODD: [7.0]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    latency = search.candidate(ODD).latency
    assert backend.measured == [TEACHER, ODD]
    assert latency is not None and not latency.is_flagged


def test_figures_of_two_devices_are_not_mixed(search: Search) -> None:
    search.run(FakeBackend(flagged=frozenset({ODD})))
    elsewhere = FakeBackend(fingerprint=replace(builders.fingerprint(), processor="Another CPU"))
    with pytest.raises(ConflictError, match="Another CPU"):
        remeasured(search, elsewhere)
    assert elsewhere.measured == []


def test_a_job_that_has_not_ended_is_resumed_instead(search: Search) -> None:
    with pytest.raises(ConflictError, match="ose job resume"):
        remeasured(search, FakeBackend())


@pytest.mark.parametrize("noisy", [ODD, TEACHER])
def test_a_noisy_latency_rejects_nothing(store: Store, noisy: object) -> None:
    spec = replace(Search(store, job_id="spec").store.job("spec").spec, limits=Limits(max_latency_ms=0.001))
    search = Search(store, spec, job_id="job-1")
    search.run(FakeBackend(flagged=frozenset({noisy})))
    statuses = {each.architecture: each.status for each in search.candidates()}
    passing = {shape for shape, status in statuses.items() if status is CandidateStatus.SUCCEEDED}
    assert passing == ({ODD} if noisy == ODD else set(MEMBERS))
