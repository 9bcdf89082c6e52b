"""Run a command; report its wall time and the peak memory of all its processes together.

    python benchmarks/speed/peak_memory.py ose job run job.yaml

Memory is the sum of proportional set sizes (pages shared by n processes count 1/n for each), sampled every
half second over the command and everything it started, daemons of its session included.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

INTERVAL_S = 0.5
MARK = "OSE_PEAK_MEMORY_RUN"
"""Children inherit it, so that daemons which left the process tree are still found."""


def proportional_set_bytes(mark: str) -> int:
    """Memory of every process whose environment carries the mark."""
    total = 0
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="utf8")
                total += 1024 * int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
        except (psutil.Error, OSError, StopIteration):
            continue
    return total


def main() -> None:
    mark = str(os.getpid())
    started = time.monotonic()
    command = subprocess.Popen(sys.argv[1:], env={**os.environ, MARK: mark})
    peak = 0
    while command.poll() is None:
        peak = max(peak, proportional_set_bytes(mark))
        time.sleep(INTERVAL_S)
    print(f"exit {command.returncode}, {time.monotonic() - started:.1f} s, peak {peak / 1e9:.2f} GB", file=sys.stderr)
    sys.exit(command.returncode)


if __name__ == "__main__":
    main()
