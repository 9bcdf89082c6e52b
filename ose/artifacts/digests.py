"""SHA-256 over files, to tell later whether an input is still what it was."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from ose.artifacts.regular_files import open_regular

_MOST_KNOWN = 4_096
_SETTLED_NS = 2 * 10**9
"""What has changed since may change again, and the clock of the file system may not tell."""

_known: dict[tuple[int, ...], str] = {}
"""Digests by what the system says of a file."""


def digest_of_files(files: Iterable[tuple[str, Path]], root: Path | None = None) -> str:
    """One hexadecimal digest over the files' labels and contents, in order.

    Args:
        files: A label and a path each; the label counts and the path does not, so files may move.
        root: Folder that they must be in; None allows any.

    Raises:
        OSError: A file cannot be read, or is none.
    """
    return digest_of_digests((label, digest_of_file(path, root)) for label, path in files)


def digest_of_stream(stream: BinaryIO) -> str:
    """The hexadecimal digest of a file from its beginning."""
    stream.seek(0)
    return hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()


def digest_of_file(path: Path, root: Path | None = None) -> str:
    """The hexadecimal digest of a file. A process reads it once, for as long as the system says that it is the same.

    Raises:
        OSError: It cannot be read, or is none, or not in `root`.
    """
    with open_regular(path, root) as stream:
        status = os.fstat(stream.fileno())
        if time.time_ns() - status.st_ctime_ns < _SETTLED_NS:
            return digest_of_stream(stream)
        key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in _known:
            if len(_known) >= _MOST_KNOWN:
                _known.clear()
            _known[key] = digest_of_stream(stream)
        return _known[key]


def digest_of_digests(digests: Iterable[tuple[str, str]]) -> str:
    """One digest over the files' labels and their own digests, in order."""
    total = hashlib.sha256()
    for label, digest in digests:
        total.update(f"{label}\0{digest}\n".encode())
    return total.hexdigest()
