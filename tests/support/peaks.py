"""The most memory that a process and those below it have taken, as the system has kept it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_LOOK_EVERY_S = 0.02


class Peak:
    """Bytes of the largest process."""

    num_bytes = 0


@contextmanager
def watching(pid: int) -> Iterator[Peak]:
    """Watch a process and its children for the length of a block; what it took before does not count."""
    peak, is_over = Peak(), threading.Event()
    with suppress(OSError):
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak is from now on
    watcher = threading.Thread(target=_watch, args=(pid, peak, is_over))
    watcher.start()
    try:
        yield peak
    finally:
        is_over.set()
        watcher.join()


def _watch(pid: int, peak: Peak, is_over: threading.Event) -> None:
    while True:
        was_over = is_over.is_set()
        peak.num_bytes = max(peak.num_bytes, *map(_peak_bytes, [pid, *_children(pid)]))
        if was_over:
            return
        is_over.wait(_LOOK_EVERY_S)


def _children(pid: int) -> list[int]:
    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    return []


def _peak_bytes(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf8").splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0
