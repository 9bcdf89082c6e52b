"""Coordinators by name: which process a name stands for, and whether that is still there.

A process is known by the boot of its machine, its namespace and number, and its start in ticks since the boot. None of
these changes with the clock. Where a name does not tell for sure that its process is gone, its lease is waited for.
"""

from __future__ import annotations

import os
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROC = Path("/proc")

_NUM_PARTS = 6
_NUM_OLD_PARTS = 4
"""Names of before: host, number, start by the wall clock, and an end of their own."""

_CLOCK_MAY_STEP_S = 86_400
"""A start by the wall clock that differs by less is the same one, told before and after the clock was set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    """What does not change of a process while it lives.

    Attributes:
        host, boot: The machine, and which of its boots.
        namespace: Where its number counts: containers of one machine have numbers of their own.
        started: Ticks since the boot.
    """

    host: str
    boot: str
    namespace: str
    number: int
    started: str


def new_owner() -> str:
    """A name for a coordinator of this process: numbers of processes are used again, so it says when this one began."""
    me = os.getpid()
    parts = (socket.gethostname(), str(me), _boot(), _namespace(), _started(me) or "", uuid.uuid4().hex[:8])
    return ":".join(parts)


def is_dead(owner: str) -> bool:
    """Whether a coordinator of this machine has died; another machine's is only judged by its lease."""
    process = _parsed(owner)
    if process is None:
        return _is_dead_by_old_name(owner)
    here = (socket.gethostname(), _boot(), _namespace())
    if (process.host, process.boot, process.namespace) != here or not process.started:
        return False
    return not _runs(process.number, process.started)


def _parsed(owner: str) -> _Process | None:
    parts = owner.rsplit(":", _NUM_PARTS - 1)
    if len(parts) != _NUM_PARTS or not parts[1].isdecimal():
        return None
    host, number, boot, namespace, started, _ = parts
    return _Process(host=host, boot=boot, namespace=namespace, number=int(number), started=started)


def _runs(number: int, started: str) -> bool:
    """Whether the process of this number is still the one that began then; a zombie runs nothing any more."""
    found = _started(number)
    return found == started if found is not None else _may_be_hidden(number)


def _may_be_hidden(number: int) -> bool:
    """Whether there may be a process although /proc does not show it: some systems hide those of other users."""
    try:
        os.kill(number, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return _state(number) is None


def _started(number: int) -> str | None:
    """When a process began, in ticks since the boot; None if it has ended, or is not shown."""
    state = _state(number)
    return None if state is None or state[0] in "ZX" else state[19]


def _state(number: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name, which may hold anything: the state first, the start as the 20th."""
    try:
        text = (_PROC / str(number) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _boot() -> str:
    try:
        return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    except OSError:
        return ""


def _namespace() -> str:
    try:
        return str((_PROC / "self" / "ns" / "pid").stat().st_ino)
    except OSError:
        return ""


def _is_dead_by_old_name(owner: str) -> bool:
    """A name that an earlier version gave; its process may still run, and the clock may have been set meanwhile."""
    parts = owner.rsplit(":", _NUM_OLD_PARTS - 1)
    if len(parts) != _NUM_OLD_PARTS or parts[0] != socket.gethostname():
        return False
    try:
        began_s = psutil.Process(int(parts[1])).create_time()
        return abs(began_s - float(parts[2])) > _CLOCK_MAY_STEP_S
    except (psutil.NoSuchProcess, ValueError, OverflowError) as error:
        return isinstance(error, psutil.NoSuchProcess)
