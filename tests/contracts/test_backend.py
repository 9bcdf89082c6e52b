"""What every Backend promises. A new kind joins by one more parameter of `backend`."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import architecture
from processes import wait_for_all
from saved_models import measuring, saving
from searches import HELD_OUT_SEQUENCES, NUM_SEQUENCES, data_task, evaluate_task, facts_of, targets_tasks

from ose.coordinator.backend import Backend
from ose.core.architecture import Architecture
from ose.core.job import CorpusFacts
from ose.core.measurement import Evaluation, LatencyProtocol
from ose.core.messages import DataRequest, DataSummary, Event, Request, RequestFailed, RequestSucceeded
from ose.core.spec import WorkersSpec
from ose.errors import EvaluationError
from ose.workers.inline import InlineBackend

SMALL = architecture(1, 2, 16, 24)
SHAPES = [architecture(d, 2, h, 24) for d in (1, 2) for h in (16, 32)]
LONG_S = 120.0
PROTOCOL = LatencyProtocol(sequence_length=32)


@pytest.fixture(scope="module")
def inline() -> Iterator[Backend]:
    backend = InlineBackend(WorkersSpec(count=1, cpus=1))
    yield backend
    backend.close()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def backend(request: pytest.FixtureRequest) -> Backend:
    return request.getfixturevalue({"inline": "inline", "ray": "ray_backend"}[request.param])


def run(backend: Backend, tasks: list[Request]) -> dict[str, Event]:
    """Each task's event, after seeing to it that there is one for each and no more."""
    for task in tasks:
        backend.submit(task)
    deadline = time.monotonic() + LONG_S
    events: list[Event] = []
    while len(events) < len(tasks) and time.monotonic() < deadline:
        if (event := backend.next_event(1.0)) is not None:
            events.append(event)
    assert Counter(event.request_id for event in events) == Counter(task.id for task in tasks)
    assert backend.next_event(0.05) is None
    return {event.request_id: event for event in events}


def losses(event: Event) -> tuple[float, ...]:
    assert isinstance(event, RequestSucceeded) and isinstance(event.result, Evaluation)
    return (event.result.loss_nats, *event.result.training_losses_nats, *event.result.sequence_losses_nats)


def trials(search: DataRequest, shapes: list[Architecture], num_steps: int = 2) -> list[Request]:
    return [evaluate_task(search, shape, id=str(shape), num_steps=num_steps) for shape in shapes]


def test_nothing_comes_of_nothing(backend: Backend) -> None:
    started = time.monotonic()
    assert backend.next_event(0.2) is None
    assert 0.1 < time.monotonic() - started < 5


def test_data_and_targets_are_made_as_one_process_makes_them(
    backend: Backend, search: DataRequest, sharp_roberta: Path, corpus: CorpusFacts, tmp_path: Path
) -> None:
    data = data_task(tmp_path / "data", sharp_roberta, corpus)
    made = run(backend, [data])["data"]
    assert isinstance(made, RequestSucceeded)
    assert made.result == DataSummary(num_sequences=NUM_SEQUENCES, held_out_sequences=HELD_OUT_SEQUENCES)
    run(backend, list(targets_tasks(data)))
    names = sorted(file.name for file in Path(search.folder).iterdir())
    assert sorted(file.name for file in Path(data.folder).iterdir()) == names
    for name in names:
        assert (Path(data.folder) / name).read_bytes() == (Path(search.folder) / name).read_bytes()


def test_a_task_gives_the_same_losses_on_every_backend(backend: Backend, inline: Backend, search: DataRequest) -> None:
    here, there = run(backend, trials(search, SHAPES)), run(inline, trials(search, SHAPES))
    assert {name: losses(event) for name, event in here.items()} == {n: losses(e) for n, e in there.items()}
    assert len({losses(event) for event in here.values()}) == len(SHAPES)


def test_what_ran_before_changes_nothing(backend: Backend, search: DataRequest) -> None:
    forwards, backwards = run(backend, trials(search, SHAPES)), run(backend, trials(search, SHAPES[::-1]))
    assert {name: losses(event) for name, event in forwards.items()} == {n: losses(e) for n, e in backwards.items()}


def test_a_failure_carries_code_message_and_traceback(backend: Backend, search: DataRequest, tmp_path: Path) -> None:
    diverging = evaluate_task(search, SMALL, id="diverging", hyperparameters={"learning_rate": 1e30})
    without_data = replace(evaluate_task(search, SMALL, id="without data"), folder=str(tmp_path))
    events = run(backend, [diverging, without_data, evaluate_task(search, SMALL, id="fine")])
    assert isinstance(events["fine"], RequestSucceeded)
    failures = {name: event.failure for name, event in events.items() if isinstance(event, RequestFailed)}
    assert {name: failure.code for name, failure in failures.items()} == {
        "diverging": "non_finite_loss",
        "without data": "error",
    }
    assert "evaluate_candidate" in failures["diverging"].traceback
    assert str(tmp_path) in failures["without data"].message
    assert not any(failure.is_retryable for failure in failures.values())


def test_workers_stay_warm(backend: Backend, search: DataRequest, tmp_path: Path) -> None:
    """Teacher and data are gone after the first task of each worker, and nobody notices."""
    teacher = shutil.copytree(search.teacher.path, tmp_path / "teacher")
    folder = shutil.copytree(search.folder, tmp_path / "data")
    moved = replace(search, folder=str(folder), teacher=facts_of(teacher))
    wait_for_all(backend, evaluate_task(moved, SMALL, num_steps=20))
    shutil.rmtree(teacher)
    shutil.rmtree(folder)
    events = run(backend, [evaluate_task(moved, SMALL, id=str(n), num_steps=1) for n in range(10)])
    assert [event for event in events.values() if isinstance(event, RequestFailed)] == []


def test_the_probe_measures_on_a_device_it_can_name(backend: Backend, search: DataRequest, tmp_path: Path) -> None:
    teacher = search.teacher
    saves = {
        "student": saving(tmp_path / "student", teacher, SMALL, PROTOCOL),
        "teacher": saving(tmp_path / "teacher", teacher, teacher.architecture, PROTOCOL, is_teacher=True),
        "lost": saving(tmp_path / "lost", replace(teacher, path=str(tmp_path / "nowhere")), SMALL, PROTOCOL),
    }
    events = run(backend, list(saves.values()))
    assert [name for name, event in events.items() if isinstance(event, RequestFailed)] == ["lost"]
    with backend.latency_probe(PROTOCOL) as probe:
        device = probe.fingerprint()
        with pytest.raises(EvaluationError, match="lost"):
            probe.measure(measuring(tmp_path / "lost", teacher, PROTOCOL))
        measured, teachers = (
            probe.measure(measuring(tmp_path / name, teacher, PROTOCOL)) for name in ("student", "teacher")
        )
    assert measured.fingerprint == teachers.fingerprint == device
    assert 0 < measured.p10_ms <= measured.p50_ms <= measured.p90_ms
    assert len(measured.samples_ms) >= 30
