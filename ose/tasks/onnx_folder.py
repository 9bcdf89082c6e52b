"""An ONNX export on disk: a directory as `ose export --runtime onnxruntime` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ose.core.exports import MANIFEST
from ose.errors import TeacherError
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import INDEX, parse_object

ONNX_FILE = "model.onnx"
"""The graph with its weights, under the name by which others look for it."""

SECTION = "onnx"
"""What of the manifest tells of the file."""


def is_onnx(path: Path) -> bool:
    """Whether a directory holds an ONNX file in the place of weights that transformers loads."""
    folder = TeacherFolder(path)
    return folder.has(ONNX_FILE) and not (folder.has("model.safetensors") or folder.has(INDEX))


def onnx_facts(path: Path) -> dict[str, Any]:
    """What the manifest of an ONNX export tells of its file.

    Raises:
        TeacherError: OSE did not write it.
    """
    folder = TeacherFolder(path)
    manifest = parse_object(folder.read(MANIFEST), path / MANIFEST) if folder.has(MANIFEST) else {}
    facts = manifest.get(SECTION)
    if not (isinstance(facts, dict) and isinstance(facts.get("precision"), str)):
        raise TeacherError(
            f"{path} holds an {ONNX_FILE} that is no export of OSE's: {MANIFEST} does not tell of it; "
            "name the model that it was made of"
        )
    return facts
