"""Files that are kept to be read again: a digest lies beside each, and one that does not fit it is removed.

What is read again here can be made again, so a damaged file costs its making, and no wrong figure. Files of versions
that wrote no digests are taken as they are.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ose.artifacts.digests import digest_of_file
from ose.artifacts.files import atomic_directory, atomic_file, storage_errors
from ose.errors import StorageError

_LOG = logging.getLogger(__name__)
_SUFFIX = ".sha256"
_OF_A_FOLDER = "files.sha256"
"""The digests of all files of a folder, as `sha256sum` writes them."""


@contextmanager
def intact_file(path: Path) -> Iterator[Path]:
    """As `atomic_file`, with a digest beside the file, which comes first: a file without one is of an earlier version.

    Raises:
        StorageError: The disk is full or the place is not writable.
    """
    with atomic_file(path) as temporary:
        yield temporary
        with atomic_file(_beside(path)) as digest:
            digest.write_text(f"{digest_of_file(temporary)}  {path.name}\n", encoding="utf8")


@contextmanager
def intact_directory(path: Path) -> Iterator[Path]:
    """As `atomic_directory`, with the digests of its files in one more.

    Raises:
        StorageError: The disk is full or the place is not writable.
    """
    with atomic_directory(path) as temporary:
        yield temporary
        lines = [f"{digest_of_file(file)}  {file.name}\n" for file in sorted(temporary.iterdir()) if file.is_file()]
        (temporary / _OF_A_FOLDER).write_text("".join(lines), encoding="utf8")


def write_intact_json(path: Path, content: Any) -> None:
    """Write `content` as `write_json` does, with a digest beside it."""
    with intact_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")


def is_intact(path: Path) -> bool:
    """Whether a file or folder is there and is what was written. What is not is removed, and said in the log.

    Raises:
        StorageError: It cannot be removed.
    """
    if not path.exists():
        return False
    damaged = damaged_file(path)
    if damaged is None:
        return True
    _LOG.warning("%s is not what was written there: its digest is another one; it is removed and made again", damaged)
    remove_intact(path)
    return False


def require_intact(path: Path) -> Path:
    """A file or folder that is to be read now, and was whole when its job began.

    Raises:
        StorageError: It is gone, or not what was written.
    """
    if not is_intact(path):
        raise StorageError(
            f"{path} is gone, or was not what had been written there and is removed now: resume the job, which makes "
            "it again"
        )
    return path


def remove_intact(path: Path) -> None:
    """Remove a file with its digest, or a folder; one that is gone already is no error.

    Raises:
        StorageError: It cannot be removed.
    """
    with storage_errors(path):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # another process may be at it
        else:
            path.unlink(missing_ok=True)
            _beside(path).unlink(missing_ok=True)


def damaged_file(path: Path) -> Path | None:
    """The file that is not what was written, if one is: this one, or the first of a folder.

    Raises:
        StorageError: It cannot be read.
    """
    with storage_errors(path):
        if not path.is_dir():
            return None if _fits(path, _beside(path)) else path
        digests = path / _OF_A_FOLDER
        if not digests.exists():
            return None
        lines = digests.read_text(encoding="utf8", errors="replace").splitlines()
        wanted = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
        if not wanted or "" in wanted:
            return digests
        return next((path / name for name, digest in wanted.items() if _digest(path / name) != digest), None)


def _fits(path: Path, beside: Path) -> bool:
    if not beside.exists():
        return True
    return beside.read_text(encoding="utf8", errors="replace").partition("  ")[0] == _digest(path)


def _digest(file: Path) -> str | None:
    try:
        return digest_of_file(file)
    except FileNotFoundError:
        return None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}{_SUFFIX}")
