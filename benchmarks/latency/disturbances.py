"""What others do on a machine while something is measured: processes that come and go, and a host of two speeds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_HELPER = """
import os, random, sys, time
import torch
torch.set_num_threads(1)
kind, core, parent = sys.argv[1], int(sys.argv[2]), os.getppid()
if kind == "arithmetic":  # small enough for the caches of one core
    left, right = torch.randn(128, 128), torch.randn(128, 128)
    work = lambda: left @ right
elif kind == "memory":  # too large for any cache
    source = torch.randn(2**26)
    target = torch.empty_like(source)
    work = lambda: target.copy_(source)
else:
    os.sched_setaffinity(0, {core})
while os.getppid() == parent:  # it may be killed together with whatever started this
    if kind == "two_speed":
        until = time.monotonic() + 30
        while time.monotonic() < until:
            stop = time.monotonic() + 0.005
            while time.monotonic() < stop:
                pass
            time.sleep(0.005)
        time.sleep(30)
        continue
    until = time.monotonic() + random.uniform(1, 5)
    while time.monotonic() < until:
        work()
    time.sleep(random.uniform(0.2, 1))
"""

CONDITIONS = {
    "idle": [],
    "arithmetic_1": ["arithmetic"],
    "memory_1": ["memory"],
    "arithmetic_2": ["arithmetic"] * 2,
    "memory_2": ["memory"] * 2,
    "two_speed": ["two_speed"] * (os.cpu_count() or 1),
}
"""What runs beside a measurement. Half of every core goes in the slow state of the host of two speeds."""


@contextmanager
def disturbed(condition: str) -> Iterator[None]:
    """Have it run meanwhile."""
    helpers = [
        subprocess.Popen([sys.executable, "-c", _HELPER, kind, str(core)])
        for core, kind in enumerate(CONDITIONS[condition])
    ]
    try:
        yield
    finally:
        for helper in helpers:
            helper.kill()
            helper.wait()
