"""The backend without Ray: one worker thread in the coordinator's own process."""

from __future__ import annotations

import contextlib
import ctypes
import queue
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ose.core.measurement import LatencyProtocol
from ose.core.spec import WorkersSpec
from ose.core.task import Event, Task
from ose.errors import WorkerLostError
from ose.imports import without_collection
from ose.search.backend import LatencyProbe
from workers.latency_probe import ProbeKeeper, SubprocessLatencyProbe

_GRACE_S = 10.0
"""How long one operation may take before a task that is dropped notices."""


class InlineBackend:
    """One worker. The coordinator waits beside it, so a cancelled job need not wait for its candidate.

    Args:
        workers: Cores and device; `count` is not used.
    """

    name = "inline"
    capacity = 1

    def __init__(self, workers: WorkersSpec) -> None:
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._is_closed = False
        self._interruption = threading.Lock()
        self._is_interruptible = False
        self._probes = ProbeKeeper(SubprocessLatencyProbe)
        self._thread = threading.Thread(target=self._work, args=(workers,), name="inline-worker", daemon=True)
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._tasks.put(task)

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended task, or None if none ends in time.

        Raises:
            WorkerLostError: The worker could not start.
        """
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            if not (self._is_closed or self._thread.is_alive()):
                raise WorkerLostError("the worker could not start; its error was printed") from None
            return None

    def latency_probe(self, protocol: LatencyProtocol) -> AbstractContextManager[LatencyProbe]:
        """A probe in a process of its own, kept until `close`."""
        return contextlib.nullcontext(self._probes.probe(protocol))

    def settle(self) -> None:
        """The one worker does nothing that was not asked for."""

    def close(self) -> None:
        """Drop what is queued, and the task that runs at its next step."""
        self._probes.close()
        if not self._is_closed and self._thread.ident is not None:
            self._is_closed = True
            self._tasks.put(None)
            with self._interruption:
                if self._is_interruptible:
                    _raise_in(self._thread.ident, SystemExit)
            self._thread.join(_GRACE_S)

    def _work(self, workers: WorkersSpec) -> None:
        with contextlib.suppress(SystemExit), self._interruptible():
            with without_collection():
                from workers.executor import TaskExecutor  # seconds, in which the coordinator gets on

            executor = TaskExecutor(self.name, workers.cpus, "cuda" if workers.gpus else "cpu")
            while not self._is_closed and (task := self._tasks.get()) is not None:
                self._events.put(executor.run(task))

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        """What `close` may break off: before and after it, nothing would catch what is raised in the thread."""
        with self._interruption:
            self._is_interruptible = True
        try:
            yield
        finally:
            with self._interruption:
                self._is_interruptible = False


def _raise_in(thread_id: int, exception: type[BaseException]) -> None:
    """Raise an exception in another thread, at its next step of Python; nothing happens if it has ended."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread_id), ctypes.py_object(exception))
