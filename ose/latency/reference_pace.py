"""How fast the machine is at the moment, told by a fixed calculation.

On a shared host a neighbour may sit on the other half of a core: everything takes a fifth to a half longer for half a
minute, evenly, and this machine's own count of busy time does not show it. A calculation that is always the same does.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ose.core.pace import is_slow
from ose.runtimes.base import Engine, host_time_ms

_CALLS = 40
"""Some 50 ms on a server's core: short beside a measurement, long beside an interrupt."""

_POLL_S = 0.5

FIRST_PATIENCE_S = 10.0
"""May be waited before anything has been measured: a search of a few shapes takes little longer itself."""


def machine_pace_ms(engine: Engine) -> float:
    """The lower quartile of some calls of a runtime's fixed encoder layer, in as many threads as are set.

    A small layer, because busy neighbours slow small operations down most: where it has its best time, so has
    whatever is measured. The quartile, because what interrupts single calls is seen in the measurement's own spread.
    Each runtime has its own, so paces of two runtimes do not compare.
    """
    call = engine.fixed_calculation()
    times_ms = sorted(host_time_ms(call) for _ in range(_CALLS))
    return times_ms[_CALLS // 4]


class Patience:
    """Waits for the machine to become fast, but not much longer than it is measured on.

    On a machine that has become slow for good, or is slow for hours because of a neighbour, measuring then takes at
    most twice the time, and a few seconds.

    Args:
        pace_ms: How fast the machine is now.
    """

    def __init__(self, pace_ms: Callable[[], float]) -> None:
        self._pace_ms = pace_ms
        self._left_s = FIRST_PATIENCE_S

    def earn(self, measured_s: float) -> None:
        """A measurement took so long: so long may be waited, too."""
        self._left_s += measured_s

    def wait(self, best_pace_ms: float | None) -> bool:
        """Whether the machine is as fast as it can be: at once, or after as much waiting as has been earned."""
        started = time.perf_counter()
        while (is_waiting := is_slow(self._pace_ms(), best_pace_ms)) and time.perf_counter() - started < self._left_s:
            time.sleep(_POLL_S)
        self._left_s -= time.perf_counter() - started
        return not is_waiting
