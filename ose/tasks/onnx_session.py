"""Open an ONNX file with ONNX Runtime, which is an extra. It loads no torch."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ose.errors import DependencyError, TeacherError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

INSTALL = "pip install 'ose[onnx]'"


def require_packages() -> None:
    """Refuse to go on without the extra.

    Raises:
        DependencyError: A package of it is not installed.
    """
    for name in ("onnx", "onnxruntime"):
        try:
            import_module(name)
        except ImportError as error:
            raise DependencyError(f"ONNX needs {name}, which is not installed here: {INSTALL}") from error


def open_session(file: Path, threads: int | None = None) -> InferenceSession:
    """Load an ONNX file for the CPU.

    Args:
        file: The file.
        threads: Of one operation; None is the machine's cores.

    Raises:
        DependencyError: The extra is not installed.
        TeacherError: The file is none, or newer than this ONNX Runtime.
    """
    require_packages()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads or 0, 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions have no base of their own
        raise _translated(error, file, onnxruntime.__version__) from error


def _translated(error: Exception, file: Path, version: str) -> TeacherError:
    told = " ".join(str(error).split())
    if "opset" in told.lower() or "IR version" in told:
        return TeacherError(f"{file} is newer than onnxruntime {version} reads: {_reason(told)}")
    return TeacherError(f"{file} cannot be run by onnxruntime {version}: {_reason(told)}")


def _reason(told: str) -> str:
    """The last sentence of a message that begins with a code, a path and a line of C++."""
    return told.rpartition(") ")[2][:200] or told[:200]
