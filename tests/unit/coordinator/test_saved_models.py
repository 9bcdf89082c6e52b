"""What the coordinator has saved, on a real disk with a real worker's code."""

from pathlib import Path

import builders
import pytest
from fake_backend import FakeBackend
from fake_search import MEMBERS, TEACHER, Clock, Search

from ose.coordinator import turn_taking
from ose.coordinator.coordinator import Coordinator
from ose.coordinator.saved_models import SAVED_MODELS
from ose.core.failures import failure_report
from ose.core.job import CandidateStatus, FailureReport, JobStatus
from ose.core.messages import SavedModelRequest
from ose.core.progress import Silence
from ose.errors import MemoryExhaustedError, StorageError, WorkerLostError

LASTING = failure_report(StorageError("the disk is full"))
PASSING = failure_report(MemoryExhaustedError("out of memory"))
LOST = failure_report(WorkerLostError("worker 0 died"))


def saves(backend: FakeBackend) -> list[SavedModelRequest]:
    return [task for task in backend.tasks if isinstance(task, SavedModelRequest)]


def test_each_shape_is_saved_once_in_the_protocols_form(search: Search) -> None:
    backend = FakeBackend()
    search.run(backend)
    assert [save.model.architecture for save in saves(backend)] == [TEACHER, *MEMBERS] == backend.measured
    assert [save.model.is_teacher for save in saves(backend)] == [True] + [False] * len(MEMBERS)
    assert {(save.runtime, save.precision) for save in saves(backend)} == {("ose.runtimes.torch", "float32")}
    assert len({save.folder for save in saves(backend)}) == len(MEMBERS) + 1


def test_nothing_is_saved_for_a_latency_that_is_known(search: Search) -> None:
    search.run()
    again, backend = Search(search.store, job_id="job-2"), FakeBackend()
    again.run(backend)
    assert saves(backend) == []


@pytest.mark.parametrize("failure", [PASSING, LOST])
def test_a_save_that_may_do_better_is_tried_again(failure: FailureReport, search: Search) -> None:
    backend = FakeBackend(stages={SavedModelRequest: [failure]})
    assert search.run(backend).status is JobStatus.SUCCEEDED
    assert all(candidate.latency for candidate in search.candidates())


def test_without_its_teachers_model_a_job_fails_with_the_workers_words(search: Search) -> None:
    job = search.run(FakeBackend(stages={SavedModelRequest: [LASTING]}))
    assert job.status is JobStatus.FAILED and job.failure is not None
    assert job.failure.code == "evaluation"
    assert job.failure.message == "the model to be timed could not be saved: the disk is full"


def test_a_candidate_whose_model_cannot_be_saved_fails_alone(search: Search) -> None:
    backend = FakeBackend(stages={SavedModelRequest: []})
    backend.before_event = fail_after(backend, 2)
    assert search.run(backend).status is JobStatus.SUCCEEDED
    failed = [each for each in search.candidates() if each.status is CandidateStatus.FAILED]
    assert [each.failure.message for each in failed if each.failure] == [
        "the model to be timed could not be saved: the disk is full"
    ]


def fail_after(backend: FakeBackend, count: int):
    """Fail one save, after so many."""

    def before_event() -> None:
        if len(saves(backend)) == count and not backend.stages[SavedModelRequest] and count not in failed:
            failed.append(count)
            backend.stages[SavedModelRequest].append(LASTING)

    failed: list[int] = []
    return before_event


class SavingBackend(FakeBackend):
    """Writes a file where a saved model would be, and counts how many lie there at a time."""

    def _result(self, task: object) -> object:
        if isinstance(task, SavedModelRequest):
            Path(task.folder).mkdir(parents=True)
            (Path(task.folder) / "weights").write_text("many")
            self.most_at_once = max(getattr(self, "most_at_once", 0), len(list(Path(task.folder).parent.iterdir())))
        return super()._result(task)


@pytest.mark.parametrize("latencies", [{}, {MEMBERS[3]: [WorkerLostError("died")]}])
def test_no_more_models_lie_there_than_are_measured_at_once_and_none_is_left(
    latencies: dict, search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn_taking, "_MOST_AT_ONCE", 3)
    left = tmp_path / SAVED_MODELS / search.job_id / "of-a-killed-coordinator"
    left.mkdir(parents=True)
    backend = SavingBackend(latencies=latencies)
    coordinator = Coordinator(search.store, lambda _: backend, tmp_path, Silence(), Clock(builders.NOW))
    assert coordinator.run(search.job_id).status is JobStatus.SUCCEEDED
    assert backend.most_at_once == 4, "three shapes and their teacher"
    assert list((tmp_path / SAVED_MODELS).iterdir()) == []
