"""The backend without Ray: tasks run one after the other in the coordinator's own process."""

from __future__ import annotations

from collections import deque

from ose.core.measurement import LatencyProtocol
from ose.core.spec import WorkersSpec
from ose.core.task import Event, Task
from workers.executor import TaskExecutor
from workers.latency_probe import SubprocessLatencyProbe


class InlineBackend:
    """One worker, which works while the coordinator waits for it.

    Args:
        workers: Cores and device; `count` is not used.
    """

    name = "inline"
    capacity = 1

    def __init__(self, workers: WorkersSpec) -> None:
        device = "cuda" if workers.gpus else "cpu"
        self._executor = TaskExecutor(self.name, workers.cpus, device)
        self._queue: deque[Task] = deque()

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._queue.append(task)

    def next_event(self, timeout_s: float) -> Event | None:
        """Do the oldest queued task; the timeout does not apply, since nothing else could end meanwhile."""
        return self._executor.run(self._queue.popleft()) if self._queue else None

    def latency_probe(self, protocol: LatencyProtocol) -> SubprocessLatencyProbe:
        """A probe in a process of its own."""
        return SubprocessLatencyProbe(protocol)

    def close(self) -> None:
        """Drop what is queued."""
        self._queue.clear()
