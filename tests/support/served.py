"""`ose serve` as a process, and what it prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]
_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: where, and the file that it prints into."""

    url: str
    log: Path

    @property
    def told(self) -> str:
        return self.log.read_text()

    @property
    def first_line(self) -> str:
        return self.told.splitlines()[0]


@contextmanager
def served(home: Path, *options: str, more: Mapping[str, str] | None = None, mask: int = 0o022) -> Iterator[Served]:
    """Serve a home from a process of its own until the block ends."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = _command(home, "serve", "--port", "0", *options)
        process = subprocess.Popen(command, env=_environment(more), stderr=log, umask=mask)
        try:
            port = _port_of(process, Path(log.name))
            yield Served(f"http://127.0.0.1:{port}", Path(log.name))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def run(home: Path, *words: str, more: Mapping[str, str] | None = None, mask: int = 0o022) -> tuple[int, str, str]:
    """Run a command to its end: its status, and what it printed for programs and for people."""
    done = subprocess.run(
        _command(home, *words), env=_environment(more), capture_output=True, text=True, timeout=_WITHIN_S, umask=mask
    )
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def _command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "ose", "--home", str(home), *words]


def _environment(more: Mapping[str, str] | None) -> dict[str, str]:
    return {**os.environ, **(more or {}), "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}


def _port_of(process: subprocess.Popen[bytes], log: Path) -> int:
    """On which it listens. It chooses one itself: what was free a moment ago may be another's by now."""
    deadline, watched = time.monotonic() + _WITHIN_S, psutil.Process(process.pid)
    while True:
        assert process.poll() is None and time.monotonic() < deadline, f"it does not serve: {log.read_text()}"
        with suppress(psutil.Error):
            for each in watched.net_connections("inet"):
                if each.status == psutil.CONN_LISTEN:
                    return int(each.laddr.port)
        time.sleep(0.05)
