"""How much of the processor others take while something is measured."""

from __future__ import annotations

import time


class OtherLoad:
    """Counts from its making on.

    A measurement may be slow evenly, and so look calm, because something else runs beside it all the time. Percentiles
    do not show that, nor does the process's own processor time where cores share caches and memory. The system's count
    of busy time does, less what this process used itself.
    """

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self._others_s = _others_s()

    def cores(self) -> float | None:
        """Cores that others kept busy since then, on average; None where the system does not count it.

        The system counts in hundredths of a second, so a second's count may be off by a few hundredths of a core.
        """
        others_s = _others_s()
        if others_s is None or self._others_s is None:
            return None
        return max(0.0, (others_s - self._others_s) / (time.perf_counter() - self._started_s))


def _others_s() -> float | None:
    """Seconds for which this machine's cores were busy for others, from some moment on."""
    try:
        import psutil
    except ImportError:  # on a machine made for its GPU alone
        return None
    times = psutil.cpu_times()
    waiting = times.idle + getattr(times, "iowait", 0.0)
    guests = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)  # counted as user time already
    return float(sum(times) - waiting - guests - time.process_time())
