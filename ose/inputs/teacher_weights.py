"""The names and shapes in a teacher's safetensors files, read from their headers alone."""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ose.artifacts.bounded import require_few_values
from ose.errors import TeacherError
from ose.inputs.weight_formats import refuse_beginning, refuse_folder
from ose.limits import operator_limits, setting_of
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import INDEX
from ose.tasks.tensor_names import is_buffer

_FLOATS = ("F64", "F32", "F16", "BF16")
"""What weights are trained and saved in; all else is cut down, or no weight."""

_MAX_DIMENSIONS, _MAX_SIZE = 8, 2**48
"""Of a tensor; a product of longer numbers than any size would take minutes."""

_BITS_OF_DTYPE = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherWeights:
    """What the headers say.

    Attributes:
        shapes: Shape of each floating-point tensor by its name; integer buffers are no parameters.
    """

    shapes: dict[str, tuple[int, ...]]


def read_weights(folder: TeacherFolder, task: str = "fill_mask") -> TeacherWeights:
    """Read the headers of model.safetensors, or of the shards that its index names.

    Args:
        folder: The teacher's.
        task: What it is to do, for messages.

    Raises:
        TeacherError: There are no safetensors, a file is truncated or corrupt, or a weight is no floating-point number.
    """
    files = [name for name in folder.weights() if name != INDEX]
    if missing := [name for name in files if not folder.has(name)]:
        raise TeacherError(f"{folder.path} lacks the shard {missing[0]}, which {INDEX} names")
    if not files:
        refuse_folder(folder, task)
    return TeacherWeights(shapes=_read_headers(folder, files))


def _read_headers(folder: TeacherFolder, files: list[str]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for file in files:
        shapes |= _read_header(folder, file)
        _require_few_tensors(len(shapes), folder.path)
    return shapes


def _require_few_tensors(count: int, place: Path) -> None:
    most = operator_limits().max_teacher_tensors
    if count > most:
        raise TeacherError(f"{place}: the weights are more than {most:,} tensors ({setting_of('max_teacher_tensors')})")


def _read_header(folder: TeacherFolder, name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of the floating-point tensors in one file, whose size must be what its header says."""
    path = folder.path / name
    with folder.open(name) as file:
        header, header_bytes, actual_bytes = _parse_header(file, path)
    _require_few_tensors(len(header), path)
    try:
        expected_bytes = 8 + header_bytes + _data_bytes(header)
        shapes = {name: _shape(entry) for name, entry in header.items() if _is_weight(name, entry, path)}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, TeacherError):
            raise
        raise TeacherError(f"{path} has a corrupt header; fetch it again") from error
    if actual_bytes != expected_bytes:
        raise TeacherError(
            f"{path} is truncated or corrupt: it has {actual_bytes:,} bytes, its header says {expected_bytes:,}; "
            "fetch it again"
        )
    return shapes


def _parse_header(file: BinaryIO, path: Path) -> tuple[dict[str, Any], int, int]:
    """The header without its metadata, its size and the file's; no header above the limit is read."""
    actual_bytes, most = os.fstat(file.fileno()).st_size, operator_limits().max_header_bytes
    header_bytes = int.from_bytes(file.read(8), "little")
    if actual_bytes < 8 or header_bytes > actual_bytes - 8:
        file.seek(0)
        refuse_beginning(file.read(24), path)
        raise TeacherError(f"{path} is truncated or no safetensors file; fetch it again")
    if header_bytes > most:
        raise TeacherError(f"{path} has a header of more than {most:,} bytes ({setting_of('max_header_bytes')})")
    raw = file.read(header_bytes)
    require_few_values(raw, path, TeacherError)
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise TeacherError(f"{path} has a corrupt header; fetch it again") from error
    return header, header_bytes, actual_bytes


def _is_weight(name: str, entry: dict[str, Any], path: Path) -> bool:
    """Whether a tensor is a weight; one that is cut down to few bits would be taken for what it stands for."""
    if entry["dtype"] in _FLOATS or is_buffer(name):
        return entry["dtype"] in _FLOATS
    raise TeacherError(
        f"{path}: {name} is stored as {str(entry['dtype'])[:20]}, which is no type that weights are trained in; name "
        "the model as it was before it was quantized"
    )


def _data_bytes(header: dict[str, Any]) -> int:
    """Bytes of all tensors, which lie one after the other without a gap."""
    end = 0
    for entry in sorted(header.values(), key=lambda each: each["data_offsets"]):
        first, last = entry["data_offsets"]
        if first != end or last - first != _tensor_bytes(entry, default=last - first):
            raise ValueError("tensors overlap or leave a gap")
        end = last
    return end


def _tensor_bytes(entry: dict[str, Any], default: int) -> int:
    """Bytes that dtype and shape ask for; `default` for a dtype newer than this table."""
    if entry["dtype"] not in _BITS_OF_DTYPE:
        return default
    bits: int = math.prod(_shape(entry)) * _BITS_OF_DTYPE[entry["dtype"]]
    return bits // 8


def _shape(entry: dict[str, Any]) -> tuple[int, ...]:
    shape: list[int] = entry["shape"]
    if len(shape) > _MAX_DIMENSIONS or not all(type(each) is int and 0 <= each < _MAX_SIZE for each in shape):
        raise ValueError("no tensor has this shape")
    return tuple(shape)
