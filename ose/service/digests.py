"""SHA-256 over files, to tell later whether an input is still what it was."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_of_files(files: Iterable[tuple[str, Path]]) -> str:
    """One hexadecimal digest over the files' labels and contents, in order.

    Args:
        files: A label and a path each; the label counts and the path does not, so files may move.

    Raises:
        OSError: A file cannot be read.
    """
    total = hashlib.sha256()
    for label, path in files:
        with path.open("rb") as file:
            contents = hashlib.file_digest(file, "sha256")
        total.update(f"{label}\0{contents.hexdigest()}\n".encode())
    return total.hexdigest()
