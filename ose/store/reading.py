"""Read a SQLite file that cannot be written: on a read-only file system, or of somebody else."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote


def can_write(file: Path) -> bool:
    """Whether SQLite could write a file: it needs the folder as well, for the log that it keeps beside it."""
    return os.access(file.parent, os.W_OK) and (not file.exists() or os.access(file, os.W_OK))


def connect_reading(file: Path) -> sqlite3.Connection:
    """Open a file that is only read, whatever state it was left in.

    A writer that lives elsewhere shares its index with us. Without one, SQLite would have to make the index: of a log
    that somebody has left behind it is made in memory, and where there is no log the file is all there is.

    Raises:
        sqlite3.Error: The file cannot be opened, or is no database.
    """
    has_log = (log := file.with_name(f"{file.name}-wal")).exists() and log.stat().st_size > 0
    try:
        return _opened(file, "mode=ro")
    except sqlite3.OperationalError:
        return _opened(file, "mode=ro&vfs=unix-none" if has_log else "mode=ro&immutable=1", is_alone=has_log)


def _opened(file: Path, how: str, *, is_alone: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?{how}", uri=True, check_same_thread=False)
    try:
        if is_alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()
        connection.execute("PRAGMA schema_version").close()  # the first read, which would fail
    except sqlite3.Error:
        connection.close()
        raise
    return connection
