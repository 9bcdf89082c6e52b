"""Look at processes from outside, and at Ray's workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from ose.coordinator.backend import Backend
from ose.core.messages import EvaluationRequest

ROOT = Path(__file__).parents[2]


def eventually(condition: Callable[[], bool], within_s: float = 30.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextmanager
def ose(home: Path, *arguments: str, more: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a command as people do, with `more` in its environment, and kill it in the end."""
    environment = {
        **os.environ,
        **(more or {}),
        "OSE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }
    command = [sys.executable, "-m", "ose", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, preexec_fn=_heed_interrupts, **pipes) as run:
        try:
            yield run
        finally:
            run.kill()


def _heed_interrupts() -> None:
    """A shell's background jobs are deaf to SIGINT, and so is whatever they start; tests may run in one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill(*processes: psutil.Process) -> None:
    """kill -9 those that have not ended by themselves, and see them go."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert are_gone(list(processes), within_s=30)


def are_gone(processes: list[psutil.Process], within_s: float) -> bool:
    return eventually(lambda: not any(is_alive(process) for process in processes), within_s)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listening_addresses(root: psutil.Process) -> set[str]:
    """Where `root` and the processes below it wait for connections."""
    ours = {process.pid for process in [root, *root.children(recursive=True)]}
    sockets = [each for each in psutil.net_connections("inet") if each.pid in ours]
    return {each.laddr.ip.removeprefix("::ffff:") for each in sockets if each.status == psutil.CONN_LISTEN}


def ray_workers(root: psutil.Process) -> list[psutil.Process]:
    """The processes of Tune's trials below `root`."""
    return [each for each in root.children(recursive=True) if _title(each).startswith("ray::ImplicitFunc")]


def train_workers(root: psutil.Process) -> list[psutil.Process]:
    """The processes of Ray Train's workers below `root`."""
    return [each for each in root.children(recursive=True) if _title(each).startswith("ray::RayTrainWorker")]


def is_ray_agent(process: psutil.Process) -> bool:
    """Whether it is one of the two helpers of a node that wait a minute for a cluster that was killed."""
    return "Agent" in _title(process)


def wait_for_all(backend: Backend, task: EvaluationRequest) -> None:
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
