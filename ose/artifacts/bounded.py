"""Read files that somebody else wrote: none further than the operator allows."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ose.errors import OseError
from ose.limits import operator_limits, setting_of


def read_at_most(file: BinaryIO, name: str | Path, limit: str, error: type[OseError]) -> bytes:
    """Read an open file whole, unless it is larger than a limit.

    Args:
        file: It.
        name: What messages call it.
        limit: Name of the `OperatorLimits` field, in bytes.
        error: What a larger file is.

    Raises:
        OSError: It cannot be read.
        OseError: It is larger; of the class `error`.
    """
    most: int = getattr(operator_limits(), limit)
    content = file.read(most + 1)
    if len(content) > most:
        raise error(f"{name} has more than {most:,} bytes ({setting_of(limit)})")
    return content


def require_few_values(raw: bytes, name: str | Path, error: type[OseError]) -> None:
    """Refuse JSON that would become large in memory, where a list that is two bytes long takes 64.

    Each value but the first of its container follows a comma: commas and brackets are no fewer than the values.

    Args:
        raw: Of one of a teacher's files.
        name: What messages call it.
        error: What is raised for more values than `max_teacher_file_values`.

    Raises:
        OseError: There are more; of the class `error`.
    """
    most = operator_limits().max_teacher_file_values
    if sum(map(raw.count, (b",", b"[", b"{"))) > most:
        raise error(f"{name} holds more than {most:,} values ({setting_of('max_teacher_file_values')})")
