"""Look at processes from outside, and at Ray's workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from ose.core.task import EvaluateTask
from ose.search.backend import Backend


def eventually(condition: Callable[[], bool], within_s: float = 30.0) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def ray_workers(root: psutil.Process) -> list[psutil.Process]:
    """The processes of Tune's trials below `root`."""
    return [each for each in root.children(recursive=True) if _title(each).startswith("ray::ImplicitFunc")]


def wait_for_all(backend: Backend, task: EvaluateTask) -> None:
    """Until every worker has done `task`: processes start one after the other."""
    served: set[str] = set()
    while len(served) < backend.capacity:
        for number in range(backend.capacity):
            backend.submit(replace(task, id=str(number)))
        ended = [backend.next_event(120) for _ in range(backend.capacity)]
        served |= {event.worker for event in ended if event is not None}


def busiest(processes: list[psutil.Process], over_s: float = 0.5) -> psutil.Process:
    before = {process: process.cpu_times().user for process in processes}
    time.sleep(over_s)
    return max(processes, key=lambda process: process.cpu_times().user - before[process])


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""
