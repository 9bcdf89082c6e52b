"""An ONNX export that is to be timed as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ose.core.measurement import LatencyProtocol
from ose.errors import JobFileError
from ose.inputs.consistency import check_latency_protocol
from ose.inputs.teacher_config import longest_sequence, read_config
from ose.tasks.onnx_folder import onnx_facts
from ose.tasks.teacher_folder import TeacherFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedExport:
    """What is timed, and how."""

    folder: Path
    vocab_size: int
    protocol: LatencyProtocol


def inspect_onnx_latency(path: Path, protocol: LatencyProtocol | None) -> TimedExport:
    """Check an export and a protocol against one another.

    Raises:
        TeacherError: The file is no export of OSE's.
        JobFileError: It has another precision or runtime, or takes fewer tokens; or the protocol is none.
    """
    folder, precision = TeacherFolder(path.resolve()), onnx_facts(path)["precision"]
    protocol = protocol or LatencyProtocol(runtime="onnxruntime", dtype=precision)
    check_latency_protocol(protocol)
    if (protocol.runtime, protocol.dtype) != ("onnxruntime", precision):
        raise JobFileError(
            f"{path} runs by onnxruntime in {precision}, not by {protocol.runtime} in {protocol.dtype}; "
            "leave out --runtime and --dtype, or name the model that it was made of"
        )
    longest = longest_sequence(folder)
    if protocol.num_tokens > longest:
        raise JobFileError(f"latency.sequence_length is {protocol.num_tokens}, but {path} takes {longest} tokens")
    vocab_size = read_config(folder).embedding.vocab_size
    return TimedExport(folder=folder.path, vocab_size=vocab_size, protocol=protocol)
