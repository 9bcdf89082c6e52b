"""The backend without Ray: one worker thread in the coordinator's own process."""

from __future__ import annotations

import contextlib
import queue
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ose.core.imports import without_collection
from ose.core.measurement import LatencyProtocol
from ose.core.messages import Event, Request
from ose.core.spec import WorkersSpec
from ose.errors import WorkerLostError, WorkerStartError
from ose.latency.base import LatencyProbe
from ose.latency.probe import ProbeKeeper, SubprocessLatencyProbe
from ose.workers.interruption import Interruption

if TYPE_CHECKING:
    from ose.workers.executor import RequestExecutor

_GRACE_S = 10.0
"""How long one operation may take before a request that is dropped notices, or starting before it is not waited for."""


class InlineBackend:
    """One worker. The coordinator waits beside it, so a cancelled job need not wait for its candidate.

    Args:
        workers: Cores and device; `count` is not used.
    """

    name = "inline"
    capacity = 1

    def __init__(self, workers: WorkersSpec) -> None:
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._is_closed = False
        self._interruption = Interruption()
        self._start_error: BaseException | None = None
        self._probes = ProbeKeeper(SubprocessLatencyProbe)
        self._thread = threading.Thread(target=self._work, args=(workers,), name="inline-worker", daemon=True)
        self._thread.start()

    def submit(self, request: Request) -> None:
        """Queue a request."""
        self._requests.put(request)

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended request, or None if none ends in time.

        Raises:
            WorkerStartError: The worker could not start.
            WorkerLostError: It has ended.
        """
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            if not (self._is_closed or self._thread.is_alive()):
                raise self._why_it_ended() from self._start_error
            return None

    def latency_probe(self, protocol: LatencyProtocol) -> AbstractContextManager[LatencyProbe]:
        """A probe in a process of its own, kept until `close`."""
        return contextlib.nullcontext(self._probes.probe(protocol))

    def settle(self) -> None:
        """The one worker does nothing that was not asked for."""

    def close(self) -> None:
        """Drop what is queued, and the request that runs at its next step. A worker that starts comes to that first."""
        self._probes.close()
        if not self._is_closed:
            self._is_closed = True
            self._requests.put(None)
            breaker = threading.Thread(target=self._interruption.break_off, args=(self._thread,), daemon=True)
            breaker.start()
            self._thread.join(_GRACE_S)

    def _why_it_ended(self) -> WorkerLostError:
        if self._start_error is None:
            return WorkerLostError("the worker has ended")
        return WorkerStartError(f"the worker could not start: {self._start_error!r}")

    def _work(self, workers: WorkersSpec) -> None:
        try:
            executor = self._executor(workers)
        except BaseException as error:
            self._start_error = error
            raise  # its traceback is printed
        with contextlib.suppress(SystemExit), self._interruption.allowed():
            while not self._is_closed and (request := self._requests.get()) is not None:
                event = executor.run(request)
                if not self._is_closed:  # what was broken off may have ended as a failure
                    self._events.put(event)

    def _executor(self, workers: WorkersSpec) -> RequestExecutor:
        with without_collection():
            from ose.workers.executor import RequestExecutor  # seconds, in which the coordinator gets on

        return RequestExecutor(self.name, workers.cpus, "cuda" if workers.gpus else "cpu")
