"""Who measures latencies, as the coordinator sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ose.core.measurement import DeviceFingerprint
from ose.core.messages import LatencyReply, LatencyRequest


class LatencyProbe(Protocol):
    """A process of its own on the target device, with nothing of ours running beside it."""

    def start(self) -> None:
        """A measurement is to come: get ready beside whatever else goes on. Returns at once."""

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on."""

    def measure(self, request: LatencyRequest, check: Callable[[], None] = lambda: None) -> LatencyReply:
        """Have saved models and a reference take turns. Their folders need not be seen where they are measured.

        Args:
            request: What to measure.
            check: Called every second meanwhile; what it raises breaks the measurement off.

        Raises:
            WorkerLostError: The probe died; another one may be opened.
            EvaluationError: The reference could not be loaded or run there.
        """
