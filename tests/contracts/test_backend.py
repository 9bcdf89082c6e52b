"""What every Backend promises, also the two that other tests and benchmarks use in place of a real one.

A new kind joins by one more line of `KINDS`, and of `TRAINING` if its workers train.

Tests ose/coordinator/backend.py, ose/core/messages.py and ose/latency/base.py too.
"""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import builders
import pytest
from builders import architecture
from fake_backend import FakeBackend
from fake_results import result_of
from processes import wait_for_all
from saved_models import measuring, saving
from searches import (
    HELD_OUT_SEQUENCES,
    LEADING,
    NUM_SEQUENCES,
    calibration_request,
    data_task,
    evaluate_task,
    facts_of,
    targets_tasks,
)

from ose.coordinator.backend import Backend
from ose.core.architecture import Architecture
from ose.core.job import CorpusFacts
from ose.core.measurement import Evaluation, LatencyProtocol, TeacherQuality
from ose.core.messages import (
    DataRequest,
    DataSummary,
    Event,
    LayerSubsetsRequest,
    Request,
    RequestFailed,
    RequestSucceeded,
    Result,
)
from ose.core.spec import WorkersSpec
from ose.errors import EvaluationError
from ose.latency.turns import MIN_ROUNDS
from ose.workers.inline import InlineBackend
from ose.workers.simulated import Faults, SimulatedBackend, VirtualClock

SMALL = architecture(1, 2, 16, 24)
DIVERGING = architecture(2, 2, 16, 48)
SHAPES = [architecture(d, 2, h, 24) for d in (1, 2) for h in (16, 32)]
LONG_S = 120.0
PROTOCOL = LatencyProtocol(sequence_length=32, seconds_per_shape=0.01)


def inline() -> InlineBackend:
    return InlineBackend(WorkersSpec(count=1, cpus=1))


def fake() -> FakeBackend:
    return FakeBackend(outcomes={DIVERGING: [builders.failure("non_finite_loss", is_retryable=False)]})


def simulated(faults: Faults | None = None) -> SimulatedBackend:
    return SimulatedBackend(
        2, VirtualClock(), lambda _: 0.1, result_of, lambda _: builders.latency(), faults or Faults()
    )


RAY = pytest.param("ray_backend", marks=pytest.mark.ray, id="ray")
TRAINING = [pytest.param("warm_inline", id="inline"), RAY]
KINDS = [*TRAINING, pytest.param(fake, id="fake"), pytest.param(simulated, id="simulated")]


def made(request: pytest.FixtureRequest) -> Backend:
    """By its fixture's name or its maker."""
    return request.getfixturevalue(request.param) if isinstance(request.param, str) else request.param()


@pytest.fixture(scope="module")
def warm_inline() -> Iterator[Backend]:
    backend = inline()
    yield backend
    backend.close()


@pytest.fixture(params=KINDS)
def any_backend(request: pytest.FixtureRequest) -> Backend:
    return made(request)


@pytest.fixture(params=TRAINING)
def backend(request: pytest.FixtureRequest) -> Backend:
    """One whose workers train."""
    return made(request)


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


def result(backend: Backend, task: Request) -> Result:
    event = run(backend, [task])[task.id]
    assert isinstance(event, RequestSucceeded), event
    assert event.worker
    return event.result


def test_nothing_comes_of_nothing(any_backend: Backend) -> None:
    assert any_backend.name and any_backend.capacity >= 1
    assert any_backend.next_event(0.0) is None
    any_backend.settle()


def test_waiting_for_nothing_takes_as_long_as_was_said(backend: Backend) -> None:
    started = time.monotonic()
    assert backend.next_event(0.2) is None
    assert 0.1 < time.monotonic() - started < 5


@pytest.mark.slow
def test_every_task_has_a_result_of_its_kind(
    any_backend: Backend, search: DataRequest, corpus: CorpusFacts, tmp_path: Path
) -> None:
    data = data_task(tmp_path / "data", Path(search.teacher.path), corpus)
    summary = DataSummary(num_sequences=NUM_SEQUENCES, held_out_sequences=HELD_OUT_SEQUENCES)
    assert result(any_backend, data) == summary
    held_out, *shards = targets_tasks(data)
    assert isinstance(result(any_backend, held_out), TeacherQuality)
    assert {result(any_backend, shard) for shard in shards} == {None}
    assert result(any_backend, calibration_request(tmp_path / "calibration", search)) is None
    subsets = LayerSubsetsRequest(
        id="subsets", folder=search.folder, teacher=search.teacher, keep=2, inheritance=LEADING, calibration=None
    )
    assert {score.layers for score in result(any_backend, subsets)} == set(combinations(range(4), 2))


def test_candidates_beyond_the_capacity_wait_and_are_judged_too(any_backend: Backend, search: DataRequest) -> None:
    events = run(any_backend, trials(search, SHAPES))
    assert len(events) > any_backend.capacity
    for event in events.values():
        assert isinstance(event, RequestSucceeded) and isinstance(event.result, Evaluation)
        assert event.worker and event.result.num_steps == 2 and math.isfinite(event.result.loss_nats)


@pytest.mark.parametrize(
    "any_backend",
    [*TRAINING, pytest.param(fake, id="fake"), pytest.param(lambda: simulated(Faults(lasting=0.5)), id="simulated")],
    indirect=True,
)
def test_a_failure_says_why_and_other_tasks_go_on(any_backend: Backend, search: DataRequest) -> None:
    diverging = evaluate_task(search, DIVERGING, id="diverging", hyperparameters={"learning_rate": 1e30})
    events = run(any_backend, [diverging, *trials(search, SHAPES)]).values()
    failures = [event.failure for event in events if isinstance(event, RequestFailed)]
    assert 1 <= len(failures) < len(events)
    assert {(failure.code, failure.is_retryable) for failure in failures} == {("non_finite_loss", False)}
    assert all(failure.message for failure in failures)


@pytest.mark.processes
def test_a_probe_measures_on_the_device_that_it_names(
    any_backend: Backend, search: DataRequest, tmp_path: Path
) -> None:
    measured = []
    with any_backend.latency_probe(PROTOCOL) as probe:
        probe.start()
        for shape in (SMALL, SHAPES[-1]):
            folder = tmp_path / str(shape)
            assert result(any_backend, saving(folder, search.teacher, shape, PROTOCOL)) is None
            any_backend.settle()
            measured += probe.measure(measuring(search.teacher, PROTOCOL, folder)).reference
        assert {each.fingerprint for each in measured} == {probe.fingerprint()}
    assert all(0 < each.p10_ms <= each.p90_ms and each.p50_ms > 0 for each in measured)


# What is interrupted as it opens a file leaves it to the garbage collector, which says so.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("make", [inline, fake, simulated])  # Ray's is in tests/support/ray_life.py
def test_what_is_queued_is_dropped_on_closing_which_may_be_done_twice(make: Any, search: DataRequest) -> None:
    backend = make()
    for name in ("first", "second"):
        backend.submit(evaluate_task(search, SMALL, id=name, num_steps=100_000))
    backend.close()
    backend.close()
    assert backend.next_event(1.0) is None


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


def test_a_task_gives_the_same_losses_on_every_backend(
    backend: Backend, warm_inline: Backend, search: DataRequest
) -> None:
    here, there = run(backend, trials(search, SHAPES)), run(warm_inline, trials(search, SHAPES))
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
        "without data": "storage",
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


@pytest.mark.processes
def test_a_probe_times_the_teacher_too_and_says_what_it_cannot_load(
    backend: Backend, search: DataRequest, tmp_path: Path
) -> None:
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
            probe.measure(measuring(teacher, PROTOCOL, tmp_path / "lost"))
        reply = probe.measure(measuring(teacher, PROTOCOL, tmp_path / "teacher", tmp_path / "student"))
    [student], [own] = reply.models[0], reply.reference
    assert student.fingerprint == own.fingerprint == device
    assert own.ratio == 1 and student.ratio is not None
    assert student.p50_ms == pytest.approx(student.ratio * own.p50_ms)
    assert len(student.samples_ms) == len(student.reference_samples_ms or ()) >= MIN_ROUNDS
