"""What every Store promises. A new kind of database joins by one more parameter of `url`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import repeat
from math import isnan, nan
from pathlib import Path
from threading import Barrier

import builders
import pytest
from builders import NOW
from race import race_processes

from ose.core.job import (
    Candidate,
    CandidateStatus,
    DistillationStatus,
    JobStatus,
    TrialStatus,
)
from ose.core.layers import LayerChoice
from ose.core.recipe import DistillationSpec, LossWeights
from ose.core.score import Score, ScoreRule
from ose.core.spec import Hyperparameters
from ose.errors import ConflictError, NotFoundError, StoreError
from ose.store.base import Store
from ose.store.engine import open_store

SOON = NOW + timedelta(minutes=1)
LATER = NOW + timedelta(minutes=5)


@pytest.fixture(params=["sqlite"])
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def candidate(store: Store) -> Candidate:
    """The only candidate of a job that `owner` runs."""
    store.add_job(builders.new_job("job-1"))
    store.claim_job("job-1", "owner", NOW, SOON)
    return store.add_candidates("job-1", [builders.new_candidate()])[0]


def _current(store: Store, candidate: Candidate) -> Candidate:
    return store.candidate(candidate.job_id, candidate.number)


class TestJobs:
    def test_a_job_comes_back_as_it_was_submitted(self, store: Store) -> None:
        spec = builders.job_spec(
            score=ScoreRule(formula="excess", exponents=(1.0, 0.1, 1 / 3)),
            distillation=DistillationSpec(weights=LossWeights(cosine=0.0)),
        )
        new = builders.new_job("job-1", spec=spec)
        job = store.add_job(new)
        assert (job.id, job.status, job.spec, job.spec_hash) == ("job-1", JobStatus.PENDING, spec, new.spec_hash)
        assert (job.teacher, job.corpus, job.created_at) == (new.teacher, new.corpus, NOW)
        assert store.job("job-1") == job

    def test_an_id_is_taken_once(self, store: Store) -> None:
        store.add_job(builders.new_job("job-1"))
        with pytest.raises(StoreError):
            store.add_job(builders.new_job("job-1"))

    def test_an_unambiguous_beginning_finds_a_job(self, store: Store) -> None:
        for job_id in ("abc1", "abd2", "x_y"):
            store.add_job(builders.new_job(job_id))
        assert store.job("abc").id == "abc1"
        assert store.job("x_").id == "x_y"

    @pytest.mark.parametrize("wanted", ["zzz", "", "ab", "ABC", "a%", "_bc", "abc11"])
    def test_other_ids_find_none(self, store: Store, wanted: str) -> None:
        store.add_job(builders.new_job("abc1"))
        store.add_job(builders.new_job("abd2"))
        with pytest.raises(NotFoundError, match="job"):
            store.job(wanted)

    def test_a_whole_id_is_never_ambiguous(self, store: Store) -> None:
        store.add_job(builders.new_job("abc1"))
        store.add_job(builders.new_job("abc"))
        assert store.job("abc").id == "abc"

    def test_jobs_are_listed_newest_first(self, store: Store) -> None:
        for minute in (1, 3, 2):
            store.add_job(builders.new_job(f"job-{minute}", created_at=NOW + timedelta(minutes=minute)))
        assert [job.id for job in store.jobs()] == ["job-3", "job-2", "job-1"]
        assert [job.id for job in store.jobs(limit=2)] == ["job-3", "job-2"]

    def test_jobs_of_one_spec_are_found(self, store: Store) -> None:
        for minute, spec_hash in enumerate("aba"):
            created_at = NOW + timedelta(minutes=minute)
            store.add_job(builders.new_job(f"job-{minute}", spec_hash=spec_hash, created_at=created_at))
        assert [job.id for job in store.jobs(spec_hash="a")] == ["job-2", "job-0"]
        assert store.jobs(spec_hash="c") == []

    def test_times_come_back_as_utc_from_any_zone(self, store: Store) -> None:
        tokyo = timezone(timedelta(hours=9))
        store.add_job(builders.new_job("job-1", created_at=NOW.astimezone(tokyo)))
        job = store.claim_job("job-1", "owner", NOW.astimezone(tokyo), SOON.astimezone(tokyo))
        assert job is not None
        times = (job.created_at, job.started_at, job.lease_expires_at)
        assert times == (NOW, NOW, SOON)
        assert all(time is not None and time.tzinfo is UTC for time in times)

    def test_a_time_without_a_zone_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="without a zone"):
            store.add_job(builders.new_job("job-1", created_at=datetime(2026, 1, 1)))

    def test_what_is_measured_of_the_teacher_is_added_up(self, store: Store) -> None:
        store.add_job(builders.new_job("job-1"))
        latency = store.add_latency("shape", "protocol", "device", builders.latency(9.0), NOW)
        store.record_teacher("job-1", latency_id=latency.id)
        store.record_teacher("job-1", quality=builders.teacher_quality())
        store.record_teacher("job-1")
        job = store.job("job-1")
        assert (job.teacher_latency, job.teacher_quality) == (builders.latency(9.0), builders.teacher_quality())


class TestClaims:
    @pytest.fixture(autouse=True)
    def _job(self, store: Store) -> None:
        store.add_job(builders.new_job("job-1"))

    def test_a_claim_makes_a_job_running(self, store: Store) -> None:
        job = store.claim_job("job-1", "owner", NOW, SOON)
        assert job is not None
        assert (job.status, job.lease_owner, job.lease_expires_at) == (JobStatus.RUNNING, "owner", SOON)
        assert job.started_at == NOW
        assert store.job("job-1") == job

    def test_a_held_job_goes_to_nobody_else(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        assert store.claim_job("job-1", "other", NOW, SOON) is None
        assert store.claim_job("job-1", "other", NOW, SOON, evict="third") is None
        assert store.job("job-1").lease_owner == "owner"

    def test_an_expired_lease_can_be_taken_over(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        job = store.claim_job("job-1", "other", SOON + timedelta(seconds=1), LATER)
        assert job is not None
        assert (job.lease_owner, job.lease_expires_at, job.started_at) == ("other", LATER, NOW)
        assert not store.renew_lease("job-1", "owner", LATER)

    def test_a_dead_owner_can_be_evicted(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        job = store.claim_job("job-1", "other", NOW, SOON, evict="owner")
        assert job is not None
        assert job.lease_owner == "other"

    def test_an_owner_may_claim_again(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        assert store.claim_job("job-1", "owner", NOW, LATER) is not None

    def test_a_succeeded_job_is_never_claimed(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        assert store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, NOW)
        assert store.claim_job("job-1", "other", LATER, LATER) is None

    def test_an_unknown_job_is_never_claimed(self, store: Store) -> None:
        assert store.claim_job("job-2", "owner", NOW, SOON) is None

    def test_a_failed_job_can_be_resumed_with_its_failure_cleared(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        store.finish_job("job-1", "owner", JobStatus.FAILED, SOON, builders.failure())
        failed = store.job("job-1")
        assert (failed.status, failed.failure, failed.finished_at) == (JobStatus.FAILED, builders.failure(), SOON)
        resumed = store.claim_job("job-1", "other", LATER, LATER)
        assert resumed is not None
        assert (resumed.status, resumed.failure, resumed.finished_at) == (JobStatus.RUNNING, None, None)
        assert resumed.started_at == NOW

    def test_only_the_owner_renews_finishes_or_releases(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        assert not store.renew_lease("job-1", "other", LATER)
        assert not store.finish_job("job-1", "other", JobStatus.SUCCEEDED, NOW)
        assert not store.release_job("job-1", "other")
        assert store.job("job-1").lease_expires_at == SOON
        assert store.renew_lease("job-1", "owner", LATER)
        assert store.job("job-1").lease_expires_at == LATER

    def test_a_finished_job_has_no_owner(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, SOON)
        assert store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, SOON)
        job = store.job("job-1")
        assert (job.status, job.finished_at, job.lease_owner) == (JobStatus.SUCCEEDED, SOON, None)
        assert not store.finish_job("job-1", "owner", JobStatus.FAILED, LATER)
        assert not store.renew_lease("job-1", "owner", LATER)

    def test_a_released_job_is_free_at_once(self, store: Store) -> None:
        store.claim_job("job-1", "owner", NOW, LATER)
        assert store.release_job("job-1", "owner")
        assert store.job("job-1").status is JobStatus.PENDING
        assert store.claim_job("job-1", "other", NOW, LATER) is not None

    def test_threads_race_and_one_wins(self, store: Store) -> None:
        start = Barrier(8)

        def claim(owner: str) -> bool:
            start.wait()
            return store.claim_job("job-1", owner, NOW, SOON) is not None

        with ThreadPoolExecutor(8) as pool:
            wins = list(pool.map(claim, [f"owner-{n}" for n in range(8)]))
        assert sum(wins) == 1
        assert store.job("job-1").lease_owner == f"owner-{wins.index(True)}"

    def test_processes_race_and_one_wins(self, store: Store, url: str) -> None:
        outcomes = race_processes("claim", url, ["first", "second"])
        assert sorted(outcomes) == ["lost", "won"]
        assert store.job("job-1").lease_owner == ["first", "second"][outcomes.index("won")]


class TestCancel:
    def test_a_running_job_stops_under_its_owner(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert store.cancel_job("job-1", SOON)
        job = store.job("job-1")
        assert (job.status, job.finished_at, job.lease_owner) == (JobStatus.CANCELLED, SOON, None)
        assert not store.renew_lease("job-1", "owner", LATER)
        assert _current(store, candidate).status is CandidateStatus.PENDING
        assert store.trials("job-1", 1)[0].status is TrialStatus.INTERRUPTED

    def test_a_pending_job_is_cancelled(self, store: Store) -> None:
        store.add_job(builders.new_job("job-1"))
        assert store.cancel_job("job-1", NOW)
        assert store.job("job-1").status is JobStatus.CANCELLED

    @pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED])
    def test_an_ended_job_stays_as_it_is(self, store: Store, candidate: Candidate, status: JobStatus) -> None:
        store.finish_job("job-1", "owner", status, NOW)
        assert not store.cancel_job("job-1", SOON)
        assert store.job("job-1").status is status

    def test_a_cancelled_job_can_be_resumed(self, store: Store, candidate: Candidate) -> None:
        store.cancel_job("job-1", NOW)
        assert not store.cancel_job("job-1", NOW)
        assert store.claim_job("job-1", "other", NOW, SOON) is not None


class TestCandidates:
    @pytest.fixture(autouse=True)
    def _job(self, store: Store) -> None:
        store.add_job(builders.new_job("job-1"))

    def test_a_candidate_comes_back_as_it_was_proposed(self, store: Store) -> None:
        new = builders.new_candidate(
            7, hyperparameters=Hyperparameters(learning_rate=1e-4, batch_size=8), flops=10**13, num_parameters=2**33
        )
        (candidate,) = store.add_candidates("job-1", [new])
        assert (candidate.job_id, candidate.number, candidate.status) == ("job-1", 7, CandidateStatus.PENDING)
        assert (candidate.architecture, candidate.hyperparameters) == (new.architecture, new.hyperparameters)
        assert (candidate.num_parameters, candidate.num_encoder_parameters) == (2**33, new.num_encoder_parameters)
        assert (candidate.flops, candidate.num_steps, candidate.num_attempts) == (10**13, new.num_steps, 0)
        assert store.candidate("job-1", 7) == candidate

    @pytest.mark.parametrize("layers", [None, "top", (0, 2, 5)])
    def test_the_layers_asked_for_come_back(self, store: Store, layers: LayerChoice | None) -> None:
        (candidate,) = store.add_candidates("job-1", [builders.new_candidate(layers=layers)])
        assert candidate.layers == layers
        assert store.candidate("job-1", 1) == candidate

    def test_candidates_come_back_in_the_order_given_and_are_listed_by_number(self, store: Store) -> None:
        added = store.add_candidates("job-1", [builders.new_candidate(n) for n in (3, 1, 2)])
        assert [candidate.number for candidate in added] == [3, 1, 2]
        assert [candidate.number for candidate in store.candidates("job-1")] == [1, 2, 3]

    def test_adding_again_changes_nothing(self, store: Store) -> None:
        (first,) = store.add_candidates("job-1", [builders.new_candidate(1)])
        store.reject_candidate(first.id, "too large")
        again = store.add_candidates("job-1", [builders.new_candidate(n, num_steps=99) for n in (1, 2)])
        assert again[0] == replace(first, status=CandidateStatus.REJECTED, rejection="too large")
        assert again[1].num_steps == 99
        assert len(store.candidates("job-1")) == 2

    def test_writers_wait_for_each_other(self, store: Store) -> None:
        start = Barrier(6)

        def add(number: int) -> int:
            start.wait()
            return store.add_candidates("job-1", [builders.new_candidate(number)])[0].number

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(add, range(1, 7))) == [1, 2, 3, 4, 5, 6]
        assert len(store.candidates("job-1")) == 6

    def test_no_candidates_are_no_error(self, store: Store) -> None:
        assert store.add_candidates("job-1", []) == []
        assert store.candidates("job-1") == []
        store.attach_latency([], 1)

    def test_a_candidate_belongs_to_a_job(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.add_candidates("job-2", [builders.new_candidate()])

    def test_jobs_number_their_candidates_apart(self, store: Store) -> None:
        store.add_job(builders.new_job("job-2"))
        (first,) = store.add_candidates("job-1", [builders.new_candidate(1)])
        (second,) = store.add_candidates("job-2", [builders.new_candidate(1)])
        assert first.id != second.id
        assert store.candidates("job-2") == [second]

    def test_an_unknown_number_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="no candidate 5"):
            store.candidate("job-1", 5)

    def test_candidates_are_counted_by_status(self, store: Store) -> None:
        assert store.count_candidates("job-1") == {}
        added = store.add_candidates("job-1", [builders.new_candidate(n) for n in (1, 2, 3)])
        store.reject_candidate(added[0].id, "too slow")
        assert store.count_candidates("job-1") == {"PENDING": 2, "REJECTED": 1}

    def test_a_latency_is_shared_by_the_candidates_of_a_shape(self, store: Store) -> None:
        added = store.add_candidates("job-1", [builders.new_candidate(n) for n in (1, 2, 3)])
        latency = store.add_latency("shape", "protocol", "device", builders.latency(2.0), NOW)
        store.attach_latency([added[0].id, added[2].id], latency.id)
        assert [c.latency for c in store.candidates("job-1")] == [latency.measurement, None, latency.measurement]

    def test_a_latency_must_exist(self, store: Store) -> None:
        (candidate,) = store.add_candidates("job-1", [builders.new_candidate()])
        with pytest.raises(StoreError):
            store.attach_latency([candidate.id], 99)


class TestTrials:
    def test_a_trial_starts_its_candidate(self, store: Store, candidate: Candidate) -> None:
        trial = store.open_trial(candidate.id, "trial-1", "worker-1", NOW)
        assert (trial.id, trial.candidate_id, trial.attempt) == ("trial-1", candidate.id, 1)
        assert (trial.status, trial.worker, trial.started_at) == (TrialStatus.RUNNING, "worker-1", NOW)
        assert store.trials("job-1", 1) == [trial]
        assert _current(store, candidate) == replace(candidate, status=CandidateStatus.RUNNING, num_attempts=1)

    def test_a_candidate_runs_once_at_a_time(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        with pytest.raises(ConflictError):
            store.open_trial(candidate.id, "trial-2", "worker", NOW)
        assert len(store.trials("job-1", 1)) == 1

    def test_threads_race_for_a_candidate_and_one_wins(self, store: Store, candidate: Candidate) -> None:
        start = Barrier(4)

        def open_trial(trial_id: str) -> bool:
            start.wait()
            try:
                store.open_trial(candidate.id, trial_id, "worker", NOW)
            except ConflictError:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(open_trial, "abcd")) == 1
        assert _current(store, candidate).num_attempts == 1

    def test_a_job_that_does_not_run_takes_no_trial(self, store: Store, candidate: Candidate) -> None:
        store.cancel_job("job-1", NOW)
        with pytest.raises(ConflictError):
            store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert _current(store, candidate).num_attempts == 0

    def test_a_success_is_scored(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        evaluation = builders.evaluation(4.25, training_losses_nats=(0.1, 1 / 3))
        assert store.record_success("trial-1", evaluation, Score(value=0.2, stderr=0.01), SOON)
        scored = _current(store, candidate)
        assert (scored.status, scored.evaluation) == (CandidateStatus.SUCCEEDED, evaluation)
        assert (scored.score, scored.score_stderr, scored.rejection) == (0.2, 0.01, None)
        (trial,) = store.trials("job-1", 1)
        assert (trial.status, trial.finished_at) == (TrialStatus.SUCCEEDED, SOON)

    def test_a_success_is_recorded_once(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        store.record_success("trial-1", builders.evaluation(4.0), Score(value=0.2, stderr=0.0), SOON)
        before = _current(store, candidate)
        assert not store.record_success("trial-1", builders.evaluation(1.0), Score(value=9.0, stderr=0.0), LATER)
        assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=True)
        assert _current(store, candidate) == before

    def test_threads_race_with_one_result_and_it_counts_once(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        with ThreadPoolExecutor(4) as pool:
            record = pool.map(store.record_success, repeat("trial-1", 4), repeat(builders.evaluation()),
                              repeat(None), repeat(SOON))  # fmt: skip
            assert sum(record) == 1

    def test_a_loss_limit_rejects_what_was_measured(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert store.record_success("trial-1", builders.evaluation(), None, SOON, rejection="loss above 4 nats")
        rejected = _current(store, candidate)
        assert (rejected.status, rejected.rejection) == (CandidateStatus.REJECTED, "loss above 4 nats")
        assert (rejected.evaluation, rejected.score) == (builders.evaluation(), None)

    def test_a_spread_that_is_no_number_is_stored(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert store.record_success("trial-1", builders.evaluation(loss_stderr_nats=nan), None, SOON)
        evaluation = _current(store, candidate).evaluation
        assert evaluation is not None and isnan(evaluation.loss_stderr_nats)

    def test_a_passing_failure_puts_the_candidate_back(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert store.record_failure("trial-1", builders.failure(), SOON, is_final=False)
        assert _current(store, candidate) == replace(candidate, num_attempts=1)
        store.open_trial(candidate.id, "trial-2", "worker", LATER)
        first, second = store.trials("job-1", 1)
        assert (first.status, first.failure, first.finished_at) == (TrialStatus.FAILED, builders.failure(), SOON)
        assert (second.id, second.attempt) == ("trial-2", 2)

    def test_a_final_failure_ends_the_candidate(self, store: Store, candidate: Candidate) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        assert store.record_failure("trial-1", builders.failure("non_finite_loss"), SOON, is_final=True)
        failed = _current(store, candidate)
        assert (failed.status, failed.failure) == (CandidateStatus.FAILED, builders.failure("non_finite_loss"))
        assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=False)
        assert not store.record_success("trial-1", builders.evaluation(), None, LATER)
        assert _current(store, candidate) == failed

    def test_an_unknown_trial_records_nothing(self, store: Store, candidate: Candidate) -> None:
        assert not store.record_success("trial-9", builders.evaluation(), None, NOW)
        assert not store.record_failure("trial-9", builders.failure(), NOW, is_final=True)

    @pytest.mark.parametrize("end", ["succeeded", "rejected", "failed"])
    def test_a_candidate_that_ended_is_never_reopened(self, store: Store, candidate: Candidate, end: str) -> None:
        _end_candidate(store, candidate, end)
        ended = _current(store, candidate)
        with pytest.raises(ConflictError):
            store.open_trial(candidate.id, "trial-2", "worker", NOW)
        store.reject_candidate(candidate.id, "too late")
        store.release_job("job-1", "owner")
        store.claim_job("job-1", "other", NOW, SOON)
        assert _current(store, candidate) == ended

    def test_a_candidate_without_trials_has_none(self, store: Store, candidate: Candidate) -> None:
        assert store.trials("job-1", 1) == []
        assert store.trials("job-1", 2) == []


def _end_candidate(store: Store, candidate: Candidate, end: str) -> None:
    if end == "rejected":
        store.reject_candidate(candidate.id, "too large")
        return
    store.open_trial(candidate.id, "trial-1", "worker", NOW)
    if end == "succeeded":
        store.record_success("trial-1", builders.evaluation(), Score(value=0.2, stderr=0.0), NOW)
    else:
        store.record_failure("trial-1", builders.failure(), NOW, is_final=True)


class TestInterruption:
    """What a coordinator that died left half done is put back by whoever takes the job over."""

    @pytest.fixture(params=["expired", "evicted", "released", "cancelled", "finished"])
    def takeover(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    def test_running_trials_are_interrupted_and_not_counted(
        self, store: Store, candidate: Candidate, takeover: str
    ) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        _take_over(store, takeover)
        (trial,) = store.trials("job-1", 1)
        assert trial.status is TrialStatus.INTERRUPTED
        assert _current(store, candidate) == candidate
        assert store.open_trial(candidate.id, "trial-2", "worker", LATER).attempt == 1

    def test_a_late_result_of_an_interrupted_trial_is_not_recorded(
        self, store: Store, candidate: Candidate, takeover: str
    ) -> None:
        store.open_trial(candidate.id, "trial-1", "worker", NOW)
        _take_over(store, takeover)
        store.open_trial(candidate.id, "trial-2", "worker", LATER)
        assert not store.record_success("trial-1", builders.evaluation(1.0), None, LATER)
        assert not store.record_failure("trial-1", builders.failure(), LATER, is_final=True)
        assert store.record_success("trial-2", builders.evaluation(2.0), None, LATER)
        assert _current(store, candidate).evaluation == builders.evaluation(2.0)

    def test_finished_work_and_other_jobs_are_left_alone(self, store: Store, candidate: Candidate) -> None:
        _end_candidate(store, candidate, "succeeded")
        store.add_job(builders.new_job("job-2"))
        store.claim_job("job-2", "owner", NOW, LATER)
        (other,) = store.add_candidates("job-2", [builders.new_candidate()])
        store.open_trial(other.id, "trial-2", "worker", NOW)
        before = (store.candidates("job-1"), store.candidates("job-2"), store.trials("job-2", 1))
        _take_over(store, "evicted")
        assert (store.candidates("job-1"), store.candidates("job-2"), store.trials("job-2", 1)) == before


def _take_over(store: Store, how: str) -> None:
    if how == "released":
        store.release_job("job-1", "owner")
    elif how == "cancelled":
        store.cancel_job("job-1", NOW)
    elif how == "finished":
        store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, builders.failure())
    now = LATER if how == "expired" else NOW
    assert store.claim_job("job-1", "other", now, LATER, evict="owner" if how == "evicted" else None)


class TestLatencies:
    KEY = ("shape", "protocol", "device")

    def test_the_newest_of_a_key_is_found(self, store: Store) -> None:
        store.add_latency(*self.KEY, builders.latency(1.0), SOON)
        newest = store.add_latency(*self.KEY, builders.latency(2.0, is_flagged=True), LATER)
        store.add_latency(*self.KEY, builders.latency(3.0), NOW)
        assert newest.measurement == builders.latency(2.0, is_flagged=True)
        assert store.latency(*self.KEY) == newest

    def test_of_two_at_one_moment_the_second_is_newer(self, store: Store) -> None:
        store.add_latency(*self.KEY, builders.latency(1.0), NOW)
        second = store.add_latency(*self.KEY, builders.latency(2.0), NOW)
        assert store.latency(*self.KEY) == second

    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_every_part_of_the_key_counts(self, store: Store, position: int) -> None:
        store.add_latency(*self.KEY, builders.latency(), NOW)
        other = [*self.KEY]
        other[position] = "other"
        assert store.latency(*other) is None


class TestDistillations:
    @pytest.fixture(autouse=True)
    def _candidate(self, candidate: Candidate) -> None:
        """There is one to distil."""

    def test_a_distillation_runs_and_succeeds(self, store: Store) -> None:
        spec = DistillationSpec(steps=7)
        running = store.add_distillation("job-1", 1, spec, "/folder", NOW)
        assert (running.job_id, running.candidate_number, running.spec) == ("job-1", 1, spec)
        assert (running.status, running.folder) == (DistillationStatus.RUNNING, "/folder")
        store.finish_distillation(running.id, SOON, result=builders.distillation_result())
        expected = replace(
            running, status=DistillationStatus.SUCCEEDED, finished_at=SOON, result=builders.distillation_result()
        )
        assert store.distillations("job-1") == [expected]

    def test_a_failed_one_is_reopened(self, store: Store) -> None:
        running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
        store.finish_distillation(running.id, SOON, failure=builders.failure())
        (failed,) = store.distillations("job-1")
        assert (failed.status, failed.failure) == (DistillationStatus.FAILED, builders.failure())
        store.reopen_distillation(running.id)
        assert store.distillations("job-1") == [running]

    def test_a_succeeded_one_stays_as_it_is(self, store: Store) -> None:
        running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
        store.finish_distillation(running.id, SOON, result=builders.distillation_result())
        before = store.distillations("job-1")
        store.reopen_distillation(running.id)
        store.finish_distillation(running.id, LATER, failure=builders.failure())
        assert store.distillations("job-1") == before

    def test_they_are_listed_newest_first_and_by_job(self, store: Store) -> None:
        ids = [store.add_distillation("job-1", 1, DistillationSpec(), f"/{n}", NOW).id for n in range(3)]
        assert [distillation.id for distillation in store.distillations("job-1")] == ids[::-1]
        assert store.distillations("job-2") == []

    def test_an_end_is_a_result_or_a_failure(self, store: Store) -> None:
        running = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
        with pytest.raises(ValueError):
            store.finish_distillation(running.id, SOON)

    def test_the_candidate_must_exist(self, store: Store) -> None:
        with pytest.raises(StoreError):
            store.add_distillation("job-1", 9, DistillationSpec(), "/folder", NOW)


def test_a_store_opened_again_has_everything(store: Store, url: str, candidate: Candidate) -> None:
    latency = store.add_latency("shape", "protocol", "device", builders.latency(), NOW)
    store.attach_latency([candidate.id], latency.id)
    store.record_teacher("job-1", quality=builders.teacher_quality(), latency_id=latency.id)
    _end_candidate(store, candidate, "succeeded")
    store.add_distillation("job-1", 1, DistillationSpec(), "/folder", NOW)
    before = _everything(store)
    store.close()
    again = open_store(url)
    assert _everything(again) == before
    again.close()


def _everything(store: Store) -> tuple[object, ...]:
    jobs = store.jobs()
    return (
        jobs,
        [store.candidates(job.id) for job in jobs],
        [store.trials(job.id, 1) for job in jobs],
        store.latency("shape", "protocol", "device"),
        [store.distillations(job.id) for job in jobs],
    )
