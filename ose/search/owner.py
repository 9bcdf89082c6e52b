"""Coordinators by name: which process a name stands for, and whether that is still there."""

from __future__ import annotations

import os
import socket
import uuid

import psutil


def new_owner() -> str:
    """A name for a coordinator of this process: numbers of processes are used again, so it says when this one began."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """Whether a coordinator of this machine has died; another machine's is only judged by its lease."""
    host, *process = owner.rsplit(":", 3)
    if host != socket.gethostname() or len(process) != 3:
        return False
    pid, started, _ = process
    try:
        return _started(int(pid)) != started
    except psutil.NoSuchProcess:
        return True


def _started(pid: int) -> str:
    return f"{psutil.Process(pid).create_time():.0f}"
