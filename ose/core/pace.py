"""Which measurements were made while the machine was as fast as it can be."""

from __future__ import annotations

from ose.core.measurement import LatencyMeasurement

MAX_SLOWDOWN = 1.08
"""A machine is slow if its pace is above this times the best one known. At its best it varies by 5 %; a busy neighbour
makes it 12 to 30 % slower (results/latency_cpu2_2026-11-22)."""


class BestPace:
    """The best pace of a machine, as far as some measurements tell.

    Attributes:
        best_ms: None while no pace is known.
    """

    def __init__(self, best_ms: float | None = None) -> None:
        self.best_ms = best_ms

    def learn(self, measurement: LatencyMeasurement | None) -> None:
        """Take a measurement's pace into account, if it has one."""
        if measurement is not None and measurement.pace_ms is not None:
            self.best_ms = min(measurement.pace_ms, self.best_ms or measurement.pace_ms)

    def was_slow(self, measurement: LatencyMeasurement) -> bool:
        """Whether the machine has been clearly faster at another time."""
        return is_slow(measurement.pace_ms, self.best_ms)


def is_slow(pace_ms: float | None, best_ms: float | None) -> bool:
    """Whether a pace is clearly above the best one; False where either is not known."""
    return pace_ms is not None and best_ms is not None and pace_ms > MAX_SLOWDOWN * best_ms
