"""Commands as people see them: on a terminal, and through a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from processes import ROOT

_WAIT_S = 60


def in_pipe(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose output goes into a pipe."""
    return subprocess.run(
        _command(arguments), env=_environment(home, more), capture_output=True, text=True, timeout=_WAIT_S
    )


def on_terminal(home: Path, *arguments: str, **more: str) -> tuple[int, str]:
    """Run a command on a terminal of its own; its status, and all that it wrote there."""
    ours, theirs = pty.openpty()
    environment = _environment(home, {"TERM": "xterm-256color", "COLUMNS": "200", **more})
    with subprocess.Popen(_command(arguments), env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as run:
        os.close(theirs)
        written = _read_all(ours)
        os.close(ours)
        return run.wait(_WAIT_S), written.decode()


def _read_all(terminal: int) -> bytes:
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # what a terminal says when its last writer has gone
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces)


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "ose", *arguments]


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    return {
        **os.environ,
        "OSE_HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        **more,
    }
