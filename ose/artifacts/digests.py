"""SHA-256 over files, to tell later whether an input is still what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from ose.artifacts.regular_files import open_regular


def digest_of_files(files: Iterable[tuple[str, Path]], root: Path | None = None) -> str:
    """One hexadecimal digest over the files' labels and contents, in order.

    Args:
        files: A label and a path each; the label counts and the path does not, so files may move.
        root: Folder that they must be in; None allows any.

    Raises:
        OSError: A file cannot be read, or is none.
    """
    return digest_of_digests((label, _digest_at(path, root)) for label, path in files)


def digest_of_stream(stream: BinaryIO) -> str:
    """The hexadecimal digest of a file from its beginning."""
    stream.seek(0)
    return hashlib.file_digest(cast(BufferedReader, stream), "sha256").hexdigest()


def digest_of_digests(digests: Iterable[tuple[str, str]]) -> str:
    """One digest over the files' labels and their own digests, in order."""
    total = hashlib.sha256()
    for label, digest in digests:
        total.update(f"{label}\0{digest}\n".encode())
    return total.hexdigest()


def _digest_at(path: Path, root: Path | None) -> str:
    with open_regular(path, root) as stream:
        return digest_of_stream(stream)
