"""Counts the processes that a test starts, by whatever library, or asks where others have started them."""

from __future__ import annotations

import multiprocessing.process
import sys
from collections.abc import Callable
from typing import Any

_EVENTS = frozenset({"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn"})
"""Python's own audit events; `multiprocessing` raises none where it spawns."""


class ProcessWatch:
    """What has been counted since `install`.

    Attributes:
        num_used: Processes that were started or asked.
    """

    def __init__(self) -> None:
        self.num_used = 0

    def install(self) -> None:
        """Begin to count. There is no way back, which is Python's rule for audit hooks."""
        sys.addaudithook(self._hear)
        base = multiprocessing.process.BaseProcess
        base.start = self._counted(base.start)

    def use(self) -> None:
        """Count one that was there before."""
        self.num_used += 1

    def _hear(self, event: str, _: tuple[object, ...]) -> None:
        if event in _EVENTS:
            self.num_used += 1

    def _counted(self, start: Callable[[Any], None]) -> Callable[[Any], None]:
        def start_and_count(process: Any) -> None:
            self.num_used += 1
            start(process)

        return start_and_count


WATCH = ProcessWatch()
"""Of this process."""
