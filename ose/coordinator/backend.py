"""Who does the work, as the coordinator sees it. Implementations live in `workers`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.messages import Event, LatencyTask, Task


class LatencyProbe(Protocol):
    """A process of its own on the target device, with nothing of ours running beside it."""

    def start(self) -> None:
        """A measurement is to come: get ready beside whatever else goes on. Returns at once."""

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on."""

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture.

        Raises:
            WorkerLostError: The probe died; another one may be opened.
            EvaluationError: The model could not be built or run there.
        """


class Backend(Protocol):
    """Runs tasks on workers that stay warm between them.

    Every submitted task ends in exactly one event, also when its worker dies under it.
    """

    @property
    def name(self) -> str:
        """What trials say of where they ran."""

    @property
    def capacity(self) -> int:
        """Tasks that run at once. Submitting more queues them."""

    def submit(self, task: Task) -> None:
        """Queue a task."""

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended task, or None if none ends in time.

        Raises:
            WorkerLostError: No worker is left, and none will come back.
        """

    def latency_probe(self, protocol: LatencyProtocol) -> AbstractContextManager[LatencyProbe]:
        """Open a probe. The coordinator measures with it only while no task is queued or running, and settled."""

    def settle(self) -> None:
        """Wait until no worker is busy with starting.

        Raises:
            WorkerLostError: No worker is left, and none will come back.
        """

    def close(self) -> None:
        """Stop the workers and whatever was started for them. What is queued or running is dropped."""
