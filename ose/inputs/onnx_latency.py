"""ONNX exports that are to be timed as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ose.core.measurement import LatencyProtocol
from ose.errors import JobFileError
from ose.inputs.teacher_config import longest_sequence
from ose.tasks.onnx_folder import is_onnx, onnx_facts
from ose.tasks.teacher_folder import TeacherFolder


def protocol_of(model: Path) -> LatencyProtocol:
    """The usual protocol; of an export with the runtime and the precision that it was made for.

    Raises:
        TeacherError: The file is no export of OSE's.
    """
    if not is_onnx(model):
        return LatencyProtocol()
    return LatencyProtocol(runtime="onnxruntime", dtype=onnx_facts(model)["precision"])


def check_export(path: Path, protocol: LatencyProtocol, inputs: Sequence[tuple[int, int]]) -> None:
    """Check an export and a protocol against one another.

    Raises:
        TeacherError: The file is no export of OSE's.
        JobFileError: It has another precision or runtime, or takes fewer tokens.
    """
    precision = onnx_facts(path)["precision"]
    if (protocol.runtime, protocol.dtype) != ("onnxruntime", precision):
        raise JobFileError(
            f"{path} runs by onnxruntime in {precision}, not by {protocol.runtime} in {protocol.dtype}; "
            "leave out --runtime and --dtype, or name the model that it was made of"
        )
    longest, asked = longest_sequence(TeacherFolder(path)), max(length for _, length in inputs)
    if asked > longest:
        raise JobFileError(f"sequence_length is {asked}, but {path} takes {longest} tokens")
