"""Tests workers/interruption.py."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from builders import architecture
from searches import evaluate_task

from ose.core.measurement import LatencyProtocol
from ose.core.messages import DataRequest, RequestFailed, RequestSucceeded
from ose.core.spec import WorkersSpec
from ose.latency.probe import SubprocessLatencyProbe
from ose.workers.inline import InlineBackend
from ose.workers.interruption import Interruption

# What is broken off at any step may leave an open file to the collector, or lose the exception in a destructor.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")

SMALL = architecture(2, 2, 16, 24)
LONG_S = 60


@pytest.fixture
def backend() -> Iterator[InlineBackend]:
    backend = InlineBackend(WorkersSpec(count=1, cpus=1))
    yield backend
    backend.close()


def test_tasks_end_in_the_order_they_came(backend: InlineBackend, search: DataRequest) -> None:
    tasks = [evaluate_task(search, SMALL, id=name, num_steps=1) for name in ("first", "second")]
    for task in tasks:
        backend.submit(task)
    events = [backend.next_event(LONG_S), backend.next_event(LONG_S)]
    assert [event.request_id for event in events if event] == ["first", "second"]
    assert all(isinstance(event, RequestSucceeded) and event.worker == "inline" for event in events)
    assert backend.next_event(0.01) is None


def test_a_failed_task_does_not_stop_the_next(backend: InlineBackend, search: DataRequest, tmp_path: Path) -> None:
    backend.submit(evaluate_task(replace(search, folder=str(tmp_path)), SMALL, id="lost"))
    backend.submit(evaluate_task(search, SMALL, id="fine", num_steps=1))
    assert isinstance(backend.next_event(LONG_S), RequestFailed)
    assert isinstance(backend.next_event(LONG_S), RequestSucceeded)


def test_the_coordinator_looks_up_while_a_task_runs(backend: InlineBackend, search: DataRequest) -> None:
    backend.submit(evaluate_task(search, SMALL, num_steps=10_000))
    assert backend.next_event(0.1) is None


def test_closing_drops_what_is_queued_and_what_runs(backend: InlineBackend, search: DataRequest) -> None:
    backend.submit(evaluate_task(search, SMALL, num_steps=10_000))
    backend.submit(evaluate_task(search, SMALL))
    assert backend.next_event(0.1) is None
    started = time.monotonic()
    backend.close()
    assert time.monotonic() - started < 5
    assert backend.next_event(0.1) is None
    assert not any(thread.name == "inline-worker" for thread in threading.enumerate())


@pytest.mark.processes
def test_latency_is_measured_in_one_process_of_its_own_until_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ose.workers.inline.SubprocessLatencyProbe", SubprocessLatencyProbe)
    backend = InlineBackend(WorkersSpec(count=1, cpus=1))
    me = psutil.Process()
    before = set(me.children())
    for _ in range(2):
        with backend.latency_probe(LatencyProtocol()) as probe:
            probe.start()
    [process] = set(me.children()) - before
    backend.close()
    assert not process.is_running()


def test_nothing_is_raised_in_a_worker_that_leaves_by_itself(
    backend: InlineBackend, search: DataRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.submit(evaluate_task(search, SMALL, num_steps=1))
    assert isinstance(backend.next_event(LONG_S), RequestSucceeded)
    told_to_end = backend._requests.put

    def slowly(nothing: None) -> None:
        told_to_end(nothing)
        time.sleep(0.3)  # the worker leaves meanwhile

    raised: list[int] = []
    monkeypatch.setattr(backend, "_requests", SimpleNamespace(put=slowly))
    monkeypatch.setattr("ose.workers.interruption.raise_in", lambda thread_id, _: raised.append(thread_id))
    backend.close()
    assert raised == []


class _Swallows:
    """Loses what is raised in its destructor, as Python does."""

    def __init__(self, begun: threading.Event, ended: threading.Event) -> None:
        self._begun, self._ended = begun, ended

    def __del__(self) -> None:
        self._begun.set()
        try:
            while True:
                time.sleep(0.001)
        finally:
            self._ended.set()


@pytest.mark.slow
def test_a_thread_that_loses_what_is_raised_in_a_destructor_is_broken_off_all_the_same() -> None:
    interruption, begun, ended = Interruption(), threading.Event(), threading.Event()

    def work() -> None:
        with contextlib.suppress(SystemExit), interruption.allowed():
            del_me = _Swallows(begun, ended)
            del del_me
            while True:
                time.sleep(0.001)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert begun.wait(LONG_S)
    interruption.break_off(thread)
    assert ended.is_set()
    assert not thread.is_alive()
