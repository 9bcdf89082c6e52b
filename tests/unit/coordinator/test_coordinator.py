"""Who runs a job, and what is left when that ends early. What happens to candidates is in the stages' tests."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from fake_backend import Death, FakeBackend
from fake_search import MEMBERS, Search, spec

from ose.coordinator import turn_taking
from ose.coordinator.coordinator import Coordinator
from ose.coordinator.lease import LEASE_S
from ose.core.job import CandidateStatus, FailureReport, JobStatus, TrialStatus
from ose.core.messages import DataRequest, EvaluationRequest
from ose.core.progress import Silence
from ose.errors import ConflictError, DependencyError, StoreError, WorkerLostError
from ose.store.base import Store
from ose.store.database import open_store

FEW = MEMBERS[::4]
BAD = FailureReport(code="non_finite_loss", message="the loss is nan", traceback="Traceback ...")
LOST = FailureReport(code="worker_lost", message="worker 1 died", is_retryable=True)


def test_a_job_runs_to_its_end(search: Search) -> None:
    backend = FakeBackend()
    job = search.run(backend)
    assert (job.status, job.lease_owner, job.failure) == (JobStatus.SUCCEEDED, None, None)
    assert [each.architecture for each in search.candidates()] == MEMBERS
    assert {each.status for each in search.candidates()} == {CandidateStatus.SUCCEEDED}
    assert backend.trained == MEMBERS
    assert backend.is_closed


def test_results_are_kept_whatever_order_they_come_in(store: Store) -> None:
    losses = {architecture: [4.0 + number] for number, architecture in enumerate(MEMBERS)}
    search = Search(store)
    search.run(FakeBackend(outcomes=losses, pick=lambda queue: len(queue) - 1))
    found = {each.architecture: each.evaluation and each.evaluation.loss_nats for each in search.candidates()}
    assert found == {architecture: loss for architecture, [loss] in losses.items()}


def test_a_straggler_holds_up_nobody(store: Store) -> None:
    def others_first(queue: list) -> int:
        is_straggler = [isinstance(t, EvaluationRequest) and t.architecture == MEMBERS[0] for t in queue]
        return is_straggler.index(False) if False in is_straggler else 0

    search = Search(store)
    backend = FakeBackend(pick=others_first)
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert backend.trained == MEMBERS


def test_a_finished_job_is_not_run_again(search: Search) -> None:
    search.run()
    with pytest.raises(ConflictError, match="has succeeded already"):
        search.run()


def test_one_of_two_coordinators_gets_the_job(search: Search) -> None:
    errors: list[str] = []

    def second_comes() -> None:
        if not errors:
            with pytest.raises(ConflictError, match="is being run by") as caught:
                search.run()
            errors.append(str(caught.value))

    first = search.coordinator(FakeBackend(before_event=second_comes))
    assert first.run(search.job_id).status is JobStatus.SUCCEEDED
    assert first.owner in errors[0]


def test_a_job_whose_coordinator_fell_silent_is_taken_over_and_the_old_one_stops(search: Search) -> None:
    taken: list[JobStatus] = []

    def takeover() -> None:
        if search.candidates() and not taken:
            search.clock.advance(LEASE_S + 1)
            taken.append(JobStatus.RUNNING)
            taken.append(search.run().status)

    old = FakeBackend(before_event=takeover)
    assert search.run(old).status is JobStatus.SUCCEEDED
    assert taken[-1] is JobStatus.SUCCEEDED
    assert old.is_closed
    assert {search.successes(candidate) for candidate in search.candidates()} == {1}


def test_a_cancel_from_elsewhere_stops_the_run(search: Search) -> None:
    def cancel() -> None:
        if any(isinstance(task, EvaluationRequest) for task in backend.tasks):
            elsewhere = open_store(database_url(search.store))
            elsewhere.cancel_job(search.job_id, search.clock())
            elsewhere.close()

    backend = FakeBackend(before_event=cancel)
    job = search.run(backend)
    assert (job.status, job.lease_owner, backend.is_closed) == (JobStatus.CANCELLED, None, True)
    assert len(backend.trained) == 4
    assert {each.status for each in search.candidates()} == {CandidateStatus.PENDING}
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_cancel_is_noticed_while_every_worker_is_busy(search: Search) -> None:
    def hang() -> None:
        search.store.cancel_job(search.job_id, search.clock())
        backend._queue.clear()

    backend = FakeBackend(before_event=hang)
    assert search.run(backend, lease_s=0.06).status is JobStatus.CANCELLED


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_hands_the_job_back(search: Search, interrupt: type[BaseException]) -> None:
    def strike() -> None:
        if backend.trained:
            raise interrupt

    backend = FakeBackend(before_event=strike)
    with pytest.raises(interrupt):
        search.run(backend)
    job = search.store.job(search.job_id)
    assert (job.status, job.lease_owner, backend.is_closed) == (JobStatus.PENDING, None, True)
    trials = [trial for candidate in search.candidates() for trial in search.trials(candidate)]
    assert {trial.status for trial in trials} == {TrialStatus.INTERRUPTED}
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_coordinator_that_is_to_stop_hands_the_job_back(search: Search) -> None:
    def stop() -> None:
        if backend.trained:
            coordinator.stop()

    backend = FakeBackend(before_event=stop)
    coordinator = search.coordinator(backend)
    job = coordinator.run(search.job_id)
    assert (job.status, job.lease_owner, backend.is_closed) == (JobStatus.PENDING, None, True)
    assert len(backend.trained) < len(MEMBERS)
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_job_whose_database_was_lost_goes_on_under_the_same_coordinator_at_once(search: Search) -> None:
    def lose_database() -> None:
        if len(first.trained) == 4:
            raise StoreError("the server went away")

    first = FakeBackend(before_event=lose_database)
    backends = iter([first, FakeBackend()])
    coordinator = Coordinator(search.store, lambda _: next(backends), Path("/nowhere"), Silence(), search.clock)
    with pytest.raises(StoreError, match="went away"):
        coordinator.run_next()
    assert search.store.job(search.job_id).status is JobStatus.RUNNING
    assert search.coordinator(FakeBackend()).run_next() is None
    job = coordinator.run_next()
    assert job is not None and job.status is JobStatus.SUCCEEDED
    assert {search.successes(candidate) for candidate in search.candidates()} == {1}


def test_the_oldest_job_that_waits_is_run_next(search: Search) -> None:
    search.clock.advance(1)
    Search(search.store, job_id="job-0", clock=search.clock)
    coordinator = search.coordinator(FakeBackend())
    ran = [coordinator.run_next() for _ in range(3)]
    assert [job and job.id for job in ran] == ["job-1", "job-0", None]


def test_leases_are_written_by_the_databases_clock(search: Search) -> None:
    def look() -> None:
        expires_at = search.store.job(search.job_id).lease_expires_at
        assert expires_at is not None
        ends.append(expires_at - search.store.now())

    ends: list[timedelta] = []
    backend = FakeBackend(before_event=look)
    Coordinator(search.store, lambda _: backend, Path("/nowhere"), Silence()).run(search.job_id)
    assert ends and all(timedelta(0) < left <= timedelta(seconds=LEASE_S) for left in ends)


def test_all_candidates_failing_fails_the_job_with_a_reason(search: Search) -> None:
    job = search.run(FakeBackend(outcomes={architecture: [BAD] for architecture in MEMBERS}))
    assert job.status is JobStatus.FAILED
    assert job.failure is not None
    assert (job.failure.code, job.failure.message) == (
        "no_candidate",
        "no candidate passed; candidate 1 failed: the loss is nan",
    )


def test_a_failed_stage_fails_the_job_with_its_workers_words(search: Search) -> None:
    failure = FailureReport(code="invalid_corpus", message="the text is too short", traceback="Traceback ...")
    job = search.run(FakeBackend(stages={DataRequest: [failure]}))
    assert (job.status, job.failure) == (JobStatus.FAILED, failure)
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_backend_that_does_not_start_fails_the_job(search: Search) -> None:
    def no_backend(_: object) -> FakeBackend:
        raise DependencyError("Ray cannot be reached")

    job = Coordinator(search.store, no_backend, Path("/nowhere"), Silence(), search.clock).run(search.job_id)
    assert job.failure is not None
    assert (job.status, job.failure.code, job.failure.message) == (
        JobStatus.FAILED,
        "dependency",
        "Ray cannot be reached",
    )


def test_losing_all_workers_fails_the_job_but_no_candidate(search: Search) -> None:
    def no_worker_is_left() -> None:
        if backend.trained:
            raise WorkerLostError("all workers have stopped")

    backend = FakeBackend(before_event=no_worker_is_left)
    job = search.run(backend)
    assert job.failure is not None
    assert (job.status, job.failure.code) == (JobStatus.FAILED, "worker_lost")
    assert {each.status for each in search.candidates()} == {CandidateStatus.PENDING}
    assert search.run().status is JobStatus.SUCCEEDED


@pytest.mark.slow
def test_a_death_at_any_moment_loses_nothing_and_repeats_nothing(new_store: Callable[[], Store]) -> None:
    outcomes = {FEW[1]: [LOST, 4.0], FEW[2]: [BAD]}
    deaths = 0
    while True:
        search, backend = Search(new_store(), spec(epsilon=4)), FakeBackend(outcomes=outcomes, dies_at=deaths + 1)
        try:
            search.run(backend)
            break
        except Death:
            deaths += 1
        assert_resumed_cleanly(search, FakeBackend(outcomes=outcomes, attempts=backend.attempts))
    assert deaths > 20


def test_a_run_that_dies_again_and_again_gets_there(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_taking, "_MOST_AT_ONCE", 3)  # what takes turns is stored together
    runs = 0
    while search.store.job(search.job_id).status is not JobStatus.SUCCEEDED:
        runs += 1
        search.clock.advance(LEASE_S + 1)
        try:
            search.run(FakeBackend(dies_at=30))
        except Death:
            continue
    assert runs > 2
    assert {search.successes(candidate) for candidate in search.candidates()} == {1}


def test_no_thread_outlives_a_run(search: Search) -> None:
    before = threading.active_count()
    search.run()
    assert threading.active_count() == before


def assert_resumed_cleanly(search: Search, backend: FakeBackend) -> None:
    finished = {each.architecture for each in search.candidates() if each.status.is_terminal}
    search.clock.advance(LEASE_S + 1)
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert finished.isdisjoint(backend.trained)
    assert [each.architecture for each in search.candidates()] == FEW
    assert [search.successes(candidate) for candidate in search.candidates()] == [1, 1, 0, 1]
    statuses = [trial.status for candidate in search.candidates() for trial in search.trials(candidate)]
    assert statuses.count(TrialStatus.FAILED) == 2
    assert TrialStatus.RUNNING not in statuses


def database_url(store: Store) -> str:
    return f"sqlite:///{store._transactions.database}"


def lose_workers(search: Search, after: int) -> None:
    if search.store.count_candidates(search.job_id).get(CandidateStatus.SUCCEEDED, 0) >= after:
        raise WorkerLostError("the cluster is gone")


def test_a_job_that_gets_on_is_worth_new_workers(search: Search) -> None:
    backend = FakeBackend(before_event=lambda: lose_workers(search, 1))
    job = search.run(backend)
    assert (job.status, job.lease_owner, job.failure, backend.is_closed) == (JobStatus.PENDING, None, None, True)
    assert search.run().status is JobStatus.SUCCEEDED


def test_a_job_whose_workers_are_lost_before_it_gets_anywhere_fails(search: Search) -> None:
    backend = FakeBackend(before_event=lambda: lose_workers(search, 0))
    job = search.run(backend)
    assert job.status is JobStatus.FAILED
    assert job.failure is not None and job.failure.code == "worker_lost"
