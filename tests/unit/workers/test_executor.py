from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import architecture, beyond
from searches import LEADING, evaluate_task, facts_of, targets_tasks

from ose.core.job import CorpusFacts, FailureReport
from ose.core.measurement import Evaluation, TeacherQuality
from ose.core.messages import DataRequest, DataSummary, LayerSubsetsRequest, RequestFailed, RequestSucceeded
from ose.tasks.registry import load_task
from ose.workers import executor
from ose.workers.executor import RequestExecutor

SMALL = architecture(2, 2, 16, 24)


@pytest.fixture
def worker() -> Iterator[RequestExecutor]:
    before = torch.get_num_threads()
    yield RequestExecutor("worker-1", threads=1)
    torch.set_num_threads(before)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was loaded from disk, in order; everything is loaded for real."""
    loaded: list[object] = []

    def recorded(load: object) -> object:
        def call(path: object, *others: object) -> object:
            loaded.append(str(path))
            return load(path, *others)  # type: ignore[operator]

        return call

    task = load_task("fill_mask")
    for name in ("load_teacher", "load_data"):
        monkeypatch.setattr(type(task), name, staticmethod(recorded(getattr(task, name))))
    return loaded


def failure_of(event: object) -> FailureReport:
    assert isinstance(event, RequestFailed)
    assert event.worker == "worker-1"
    return event.failure


def test_a_whole_search_is_done_task_by_task(
    worker: RequestExecutor, search: DataRequest, corpus: CorpusFacts, tmp_path: Path
) -> None:
    data = replace(search, folder=str(tmp_path / "data"))
    subsets = LayerSubsetsRequest(
        id="layers", folder=data.folder, teacher=data.teacher, keep=2, inheritance=LEADING, calibration=None
    )
    tasks = [data, *targets_tasks(data), evaluate_task(data, SMALL), subsets]
    events = [worker.run(task) for task in tasks]
    assert all(isinstance(event, RequestSucceeded) for event in events)
    assert [event.request_id for event in events] == [task.id for task in tasks]
    assert {event.worker for event in events} == {"worker-1"}
    results = [event.result for event in events if isinstance(event, RequestSucceeded)]
    assert [type(result) for result in results] == [DataSummary, TeacherQuality, *[type(None)] * 3, Evaluation, tuple]


def test_teacher_and_data_are_loaded_once(worker: RequestExecutor, search: DataRequest, loads: list[object]) -> None:
    for task in (*targets_tasks(search), *[evaluate_task(search, SMALL, num_steps=1)] * 3):
        assert isinstance(worker.run(task), RequestSucceeded)
    assert loads == [search.teacher.path, search.folder]


def test_another_teacher_takes_the_place_of_the_last(
    worker: RequestExecutor, search: DataRequest, tiny_roberta: Path, loads: list[object]
) -> None:
    task = evaluate_task(search, SMALL, num_steps=1)
    other = replace(task, teacher=facts_of(tiny_roberta))
    losses = [event.result.loss_nats for event in map(worker.run, (task, other, task))]
    assert loads == [search.teacher.path, search.folder, str(tiny_roberta), search.teacher.path]
    assert losses[0] == losses[2] != losses[1]


def test_memory_that_runs_out_is_worth_another_try(worker: RequestExecutor, search: DataRequest) -> None:
    vast = beyond(architecture(1, 2, 16), intermediate_size=2**44)
    failure = failure_of(worker.run(evaluate_task(search, vast, initialization="random")))
    assert failure.code == "out_of_memory"
    assert failure.is_retryable
    assert len(failure.message.splitlines()) == 1
    assert isinstance(worker.run(evaluate_task(search, SMALL, num_steps=1)), RequestSucceeded)


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory"), True),
        (OSError(12, "Cannot allocate memory"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("shapes do not match"), False),
        (OSError(28, "No space left on device"), False),
    ],
    ids=["python", "cuda", "mmap", "c++", "other", "disk"],
)
def test_every_form_of_exhausted_memory_is_recognised(
    error: Exception, is_memory: bool, worker: RequestExecutor, search: DataRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "evaluate_candidate", raiser(error))
    failure = failure_of(worker.run(evaluate_task(search, SMALL)))
    assert failure.code == ("out_of_memory" if is_memory else "error")
    assert failure.is_retryable is is_memory


def raiser(error: BaseException) -> object:
    def call(*_: object) -> None:
        raise error

    return call


def test_an_unforeseen_error_is_stored_with_its_traceback(
    worker: RequestExecutor, search: DataRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "evaluate_candidate", raiser(ZeroDivisionError("by nothing")))
    failure = failure_of(worker.run(evaluate_task(search, SMALL)))
    assert failure.code == "error"
    assert not failure.is_retryable
    assert "Traceback (most recent call last)" in failure.traceback
    assert "ZeroDivisionError: by nothing" in failure.traceback


def test_data_that_are_gone_are_told_as_such(worker: RequestExecutor, search: DataRequest, tmp_path: Path) -> None:
    failure = failure_of(worker.run(evaluate_task(replace(search, folder=str(tmp_path / "missing")), SMALL)))
    assert failure.code == "storage"
    assert "load_search_data" in failure.traceback


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hyperparameters": {"learning_rate": 1e30}}, "non_finite_loss"),
        ({"architecture": architecture(5, 2, 16, 24)}, "invalid_input"),
    ],
)
def test_an_expected_error_is_stored_under_its_code(
    changes: dict[str, object], code: str, worker: RequestExecutor, search: DataRequest
) -> None:
    shape = changes.pop("architecture", SMALL)
    failure = failure_of(worker.run(evaluate_task(search, shape, **changes)))
    assert (failure.code, failure.is_retryable) == (code, False)


def test_a_teacher_that_is_gone_is_told(worker: RequestExecutor, search: DataRequest, tmp_path: Path) -> None:
    task = replace(targets_tasks(search)[0], teacher=replace(search.teacher, path=str(tmp_path / "gone")))
    assert failure_of(worker.run(task)).code == "invalid_teacher"


def test_an_interrupt_passes_through(
    worker: RequestExecutor, search: DataRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "evaluate_candidate", raiser(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        worker.run(evaluate_task(search, SMALL))


def test_a_worker_uses_the_threads_it_was_given() -> None:
    before = torch.get_num_threads()
    RequestExecutor("worker-1", threads=2)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)
