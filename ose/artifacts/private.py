"""Files and folders that only their owner opens, whatever the umask."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ose.artifacts.files import storage_errors

_FOLDER = 0o700
_FILE = 0o600
_OTHERS = 0o077


def private_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing. One that is there stays as it is: others may use it, too.

    Raises:
        StorageError: It cannot be made.
    """
    with storage_errors(path):
        missing = [folder for folder in (path, *path.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(mode=_FOLDER, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file, or close the one that is there to others. It is never opened: that could cost a lock.

    Raises:
        StorageError: It cannot be made.
    """
    with storage_errors(path):
        try:
            os.mknod(path, stat.S_IFREG | _FILE)
        except FileExistsError:
            close_to_others(path)


def close_to_others(path: Path) -> None:
    """Take from others what they may do with a file or folder of ours, as older ones let them.

    What belongs to somebody else is left as it is, and so is what cannot be changed.
    """
    with suppress(OSError):
        status = path.stat()
        if status.st_uid == os.geteuid() and status.st_mode & _OTHERS:
            path.chmod(stat.S_IMODE(status.st_mode) & ~_OTHERS)


def is_open_to_others(path: Path) -> bool:
    """Whether other users of the machine may list or enter a folder."""
    return path.is_dir() and bool(path.stat().st_mode & _OTHERS)
