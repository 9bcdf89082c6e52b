"""Temporary folders that do not outlive their process for long, however it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TextIO

_LOCK = "lock"


class ScratchFolder:
    """A temporary folder, removed by `close`; or, after a kill -9, by the next one that is made.

    A lock that the system gives up with the process tells the living from the dead.

    Args:
        kind: What it is for, as its name says: `ray`, `teacher`.
    """

    def __init__(self, kind: str) -> None:
        _remove_orphans()
        self.path = Path(tempfile.mkdtemp(prefix=f"ose-{kind}-"))
        self._lock = _locked_file(self.path)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _locked_file(folder: Path) -> TextIO:
    """Make the lock under another name first: it is never seen unlocked while its owner lives."""
    lock = (folder / f"{_LOCK}.new").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.rename(lock.name, folder / _LOCK)
    return lock


def _remove_orphans() -> None:
    for lock in Path(tempfile.gettempdir()).glob(f"ose-*-*/{_LOCK}"):
        try:
            with lock.open("r+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(lock.parent, ignore_errors=True)
        except OSError:
            continue  # its owner lives, or another process was here first, or another user's it is
