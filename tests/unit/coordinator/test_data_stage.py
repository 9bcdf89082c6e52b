from dataclasses import replace

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import Search, spec

from ose.coordinator.data_stage import SHARD_SEQUENCES
from ose.core.job import Candidate, FailureReport, JobStatus
from ose.core.messages import DataRequest, DataSpan, EvaluationRequest, TargetsRequest
from ose.core.spec import ExtendedCandidate, Extension, Hyperparameters
from ose.store.base import Store

LOST = FailureReport(code="worker_lost", message="worker 1 died", is_retryable=True)
FULL_DISK = FailureReport(code="storage", message="the disk is full", traceback="Traceback ...")


def targets(backend: FakeBackend) -> list[TargetsRequest]:
    return [task for task in backend.tasks if isinstance(task, TargetsRequest)]


@pytest.mark.parametrize("batch_size", [1, 32, 100])
def test_shards_cover_the_training_sequences_once_and_the_held_out_ones_too(store: Store, batch_size: int) -> None:
    search, backend = Search(store, spec(hyperparameters=(Hyperparameters(batch_size=batch_size),))), FakeBackend()
    search.run(backend)
    [data] = [task for task in backend.tasks if isinstance(task, DataRequest)]
    assert data.num_sequences == 10 * batch_size
    shards = [task for task in targets(backend) if task.shard is not None]
    assert [task.shard for task in shards] == list(range(len(shards)))
    covered = [row for task in shards for row in range(task.first, task.last)]
    assert covered == list(range(10 * batch_size))
    assert max(task.last - task.first for task in shards) <= SHARD_SEQUENCES
    [held_out] = [task for task in targets(backend) if task.shard is None]
    assert (held_out.first, held_out.last) == (0, data.held_out_sequences)


def test_an_extension_adds_data_for_its_own_steps_and_holds_out_nothing_more(store: Store) -> None:
    first, backend = Search(store), FakeBackend()
    first.run()
    extension = Extension(job="job-1", candidates=(extended(first.candidates()[0]),), data_steps=(10,))
    second = Search(store, replace(spec(steps=30), extends=extension), "job-2")
    assert second.run(backend).status is JobStatus.SUCCEEDED
    data = [task for task in backend.tasks if isinstance(task, DataRequest)]
    assert [(task.num_sequences, task.held_out_sequences) for task in data] == [(320, 128), (640, 0)]
    for each in data:
        shards = [task for task in targets(backend) if task.folder == each.folder and task.shard is not None]
        assert [row for task in shards for row in range(task.first, task.last)] == list(range(each.num_sequences))
        assert {task.seed for task in shards} == {each.seed}
    assert [task.folder for task in targets(backend) if task.shard is None] == [data[0].folder]
    [evaluate] = [task for task in backend.tasks if isinstance(task, EvaluationRequest)]
    assert evaluate.folder == data[0].folder
    assert evaluate.later_data == (DataSpan(folder=data[1].folder, first_step=10),)
    assert (evaluate.phases, second.candidates()[0].phases) == ((10, 30), (10, 30))


def extended(candidate: Candidate) -> ExtendedCandidate:
    return ExtendedCandidate(
        candidate=candidate.number,
        architecture=candidate.architecture,
        hyperparameters=candidate.hyperparameters,
        layers=candidate.layers,
        phases=candidate.phases,
    )


def test_the_teachers_quality_is_recorded(search: Search) -> None:
    search.run()
    quality = search.store.job(search.job_id).teacher_quality
    assert quality is not None and quality.entropy_nats == 3.0


@pytest.mark.parametrize("stage", [DataRequest, TargetsRequest])
def test_a_lost_workers_task_is_given_out_once_more(search: Search, stage: type) -> None:
    backend = FakeBackend(stages={stage: [LOST]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    ids = [task.id for task in backend.tasks if isinstance(task, stage)]
    assert len(ids) == len(set(ids)) + 1


def test_a_task_that_is_lost_twice_fails_the_job(search: Search) -> None:
    job = search.run(FakeBackend(stages={DataRequest: [LOST, LOST]}))
    assert (job.status, job.failure) == (JobStatus.FAILED, LOST)


def test_a_targets_task_that_fails_fails_the_job(search: Search) -> None:
    backend = FakeBackend(stages={TargetsRequest: [FULL_DISK]})
    job = search.run(backend)
    assert (job.status, job.failure) == (JobStatus.FAILED, FULL_DISK)
    assert backend.trained == []


@pytest.fixture
def _in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    doubted = builders.teacher_quality(doubts=("it answers 'no' to all 9 items",))
    monkeypatch.setattr(builders, "teacher_quality", lambda: doubted)


@pytest.mark.usefixtures("_in_doubt")
def test_a_teacher_in_doubt_stops_a_job_before_anything_is_trained(store: Store) -> None:
    search, backend = Search(store), FakeBackend()
    search.run(backend)
    assert backend.trained == backend.measured == []
    job = store.job("job-1")
    assert job.status is JobStatus.FAILED and job.failure is not None and not job.failure.is_retryable
    assert job.failure.code == "invalid_teacher"
    assert "it answers 'no' to all 9 items" in job.failure.message and "--teacher-as-is" in job.failure.message
    assert search.candidates() == []


@pytest.mark.usefixtures("_in_doubt")
def test_a_teacher_in_doubt_is_taken_as_it_is_where_a_job_says_so(store: Store) -> None:
    asked = replace(spec(), teacher=replace(spec().teacher, as_is=True))
    assert Search(store, asked).run().status is JobStatus.SUCCEEDED
