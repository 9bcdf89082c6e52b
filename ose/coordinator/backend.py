"""Who does the work, as the coordinator sees it. Implementations live in `workers`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from ose.core.measurement import LatencyProtocol
from ose.core.messages import Event, Request
from ose.latency.base import LatencyProbe


class Backend(Protocol):
    """Runs requests on workers that stay warm between them.

    Every submitted request ends in exactly one event, also when its worker dies under it.
    """

    @property
    def name(self) -> str:
        """What trials say of where they ran."""

    @property
    def capacity(self) -> int:
        """Tasks that run at once. Submitting more queues them."""

    def submit(self, request: Request) -> None:
        """Queue a request."""

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended request, or None if none ends in time.

        Raises:
            WorkerLostError: No worker is left, and none will come back.
        """

    def latency_probe(self, protocol: LatencyProtocol) -> AbstractContextManager[LatencyProbe]:
        """Open a probe. The coordinator measures with it only while no request is queued or running, and settled."""

    def settle(self) -> None:
        """Wait until no worker is busy with starting.

        Raises:
            WorkerLostError: No worker is left, and none will come back.
        """

    def close(self) -> None:
        """Stop the workers and whatever was started for them. What is queued or running is dropped."""
