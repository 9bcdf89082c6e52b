"""A saved model on its way to the machine that measures it, which need not see the disk where it was saved."""

from __future__ import annotations

from pathlib import Path

from ose.errors import EvaluationError
from ose.runtimes.base import size_on_disk_bytes

MAX_BYTES = 4 * 2**30
"""A billion weights in float32. All of it lies in the memory of both machines for a moment."""


def packed(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    """The files of a saved model.

    Args:
        folder: Where they lie.
        names: What a runtime may save; nothing else is sent.

    Raises:
        EvaluationError: There is none of them, or they are too large.
    """
    size_bytes = size_on_disk_bytes(folder, names)
    if size_bytes > MAX_BYTES:
        raise EvaluationError(f"the model in {folder} takes {size_bytes:,} bytes; at most {MAX_BYTES:,} are sent")
    files = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
    if not files:
        raise EvaluationError(f"{folder} holds no saved model")
    return files


def unpack(files: dict[str, bytes], folder: Path) -> None:
    """Write the files of a saved model into a folder, which is made."""
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
