"""Write files so that a crash or a full disk leaves the old ones, never half of a new one."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ose.errors import StorageError

_TEMPORARY_SUFFIX = ".partial"
_RETIRED_SUFFIX = ".removed"
_WRAPPED_ERROR = re.compile(r"\(os error (\d+)\)")
"""How safetensors, written in Rust, quotes the system's error inside its own."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Translate the system's refusals to write at `path` into one clear line."""
    try:
        yield
    except OSError as error:
        raise _translated(error, path) from error
    except Exception as error:
        if wrapped := _WRAPPED_ERROR.search(str(error)):
            number = int(wrapped[1])
            raise _translated(OSError(number, os.strerror(number)), path) from error
        raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes that name once the block has succeeded.

    An existing folder at `path` is replaced. After a failure nothing of the new folder remains.

    Raises:
        StorageError: The disk is full or the place is not writable.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        temporary.mkdir()
        try:
            yield temporary
            for file in temporary.rglob("*"):
                _sync(file)
            _replace(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary file name beside `path`; it takes that name once the block has succeeded.

    Raises:
        StorageError: The disk is full or the place is not writable.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _temporary_name(path)
        try:
            yield temporary
            _sync(temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf8")


def remove_leftovers(folder: Path) -> None:
    """Delete what writers of this machine that were killed in the middle left in `folder`."""
    for leftover in folder.glob(f".*{_TEMPORARY_SUFFIX}"):
        if _writer_is_dead(leftover):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def retire(path: Path) -> None:
    """Take the name from a file or folder that is to be removed, at once: removing a large one takes its time.

    Raises:
        StorageError: The place is not writable.
    """
    with storage_errors(path), suppress(FileNotFoundError):
        path.rename(path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{_RETIRED_SUFFIX}"))


def remove_retired(folders: Iterable[Path]) -> None:
    """Delete what was retired in these folders, by any process."""
    for folder in folders:
        for path in folder.glob(f".*{_RETIRED_SUFFIX}"):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with storage_errors(path):
                    path.unlink(missing_ok=True)


def _temporary_name(path: Path) -> Path:
    """A name beside `path` that says who writes: only leftovers of the dead may be removed."""
    writer = f"{socket.gethostname()}.{os.getpid()}"
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.{writer}{_TEMPORARY_SUFFIX}")


def is_temporary(name: str) -> bool:
    """Whether a file or folder of this name is one that is being written, or was left so."""
    return name.endswith(_TEMPORARY_SUFFIX)


def _writer_is_dead(leftover: Path) -> bool:
    import psutil  # a machine that only measures has no leftovers, and perhaps no psutil

    before, _, pid = leftover.name.removesuffix(_TEMPORARY_SUFFIX).rpartition(".")
    return pid.isdigit() and before.endswith(f".{socket.gethostname()}") and not psutil.pid_exists(int(pid))


def _replace(temporary: Path, path: Path) -> None:
    if path.exists():
        retired = _temporary_name(path)
        path.rename(retired)
        try:
            temporary.rename(path)
        except OSError:
            retired.rename(path)
            raise
        shutil.rmtree(retired)
    else:
        temporary.rename(path)


def _sync(path: Path) -> None:
    """Bring a written file to the disk, with the permissions that new files have here."""
    if path.is_file():
        path.chmod(0o666 & ~_umask())
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _umask() -> int:
    """The process's mask, which can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _translated(error: OSError, path: Path) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError(f"the disk is full: {path} could not be written; free some space and resume")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StorageError(f"{path} is not writable; choose another folder or mend its permissions")
    return StorageError(f"{path} could not be written: {error.strerror or error}")
