"""Who measures latencies, as the coordinator sees it."""

from __future__ import annotations

from typing import Protocol

from ose.core.measurement import DeviceFingerprint, LatencyMeasurement
from ose.core.messages import LatencyRequest


class LatencyProbe(Protocol):
    """A process of its own on the target device, with nothing of ours running beside it."""

    def start(self) -> None:
        """A measurement is to come: get ready beside whatever else goes on. Returns at once."""

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on."""

    def measure(self, request: LatencyRequest) -> LatencyMeasurement:
        """Measure a saved model, whose folder need not be seen where it is measured.

        Raises:
            WorkerLostError: The probe died; another one may be opened.
            EvaluationError: The model could not be loaded or run there.
        """
