"""Weights in a format that OSE does not read, known by a file's first bytes or its name, and what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ose.errors import TeacherError
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder

_ORIGIN = "name the model of transformers that it was made from, as safetensors"
_GGUF = f"a GGUF file, whose weights are cut down for llama.cpp; {_ORIGIN}"
_ONNX = f"an ONNX graph, in which a student finds no layers to learn from; {_ORIGIN}"
_PICKLE = (
    "a pickle, which may run any code and is never loaded; convert it once where you trust it: "
    "{model}.from_pretrained(DIR).save_pretrained(NEW_DIR)"
)
_KERAS = f"a file of TensorFlow or Flax; {_ORIGIN}"
_MOBILE = f"a graph for phones or OpenVINO; {_ORIGIN}"
_POINTER = "a pointer of Git LFS in the place of the file; fetch that with: git lfs pull"

_BEGINNINGS = {
    b"GGUF": _GGUF, b"ggml": _GGUF, b"PK\x03\x04": _PICKLE, b"\x80\x02": _PICKLE, b"\x80\x03": _PICKLE,
    b"\x80\x04": _PICKLE, b"\x89HDF": _KERAS, b"version https://git-lfs": _POINTER,
}  # fmt: skip
_SUFFIXES = {
    ".gguf": _GGUF, ".ggml": _GGUF, ".onnx": _ONNX, ".bin": _PICKLE, ".pt": _PICKLE, ".pth": _PICKLE, ".ckpt": _PICKLE,
    ".pkl": _PICKLE, ".h5": _KERAS, ".keras": _KERAS, ".msgpack": _KERAS, ".tflite": _MOBILE, ".mlmodel": _MOBILE,
    ".pte": _MOBILE,
}  # fmt: skip
_MOST_ENTRIES = 1_000
"""Of a folder, that are looked at: it may be anybody's."""


def refuse_beginning(beginning: bytes, path: Path, task: str = "fill_mask") -> None:
    """Refuse a file that is no safetensors file, whatever its name says, if it is recognised.

    Args:
        beginning: Its first bytes, some 24.
        path: The file.
        task: What the model is to do.

    Raises:
        TeacherError: It is of another format; the message says which, and what to do.
    """
    told = next((text for magic, text in _BEGINNINGS.items() if beginning.startswith(magic)), None)
    if told is not None:
        raise TeacherError(f"{path} is {_advice(told, task)}")


def refuse_folder(folder: TeacherFolder, task: str) -> None:
    """Refuse a folder without safetensors by what it has in their place.

    Raises:
        TeacherError: Always; the message names the file where one is recognised.
    """
    others = sorted(name for name in _names(folder.path) if Path(name).suffix in _SUFFIXES)
    for name in others:
        raise TeacherError(f"{folder.path / name} is {_advice(_SUFFIXES[Path(name).suffix], task)}")
    renamed = sorted(name for name in _names(folder.path) if name.endswith(".safetensors"))
    if renamed:
        raise TeacherError(f"{folder.path} has {renamed[0]}, but no model.safetensors and no index; give it that name")
    raise TeacherError(f"{folder.path} has no model.safetensors")


def format_of(path: Path) -> str | None:
    """What a file is that was named in the place of a directory; None if its name does not tell."""
    return _advice(_SUFFIXES[path.suffix], "fill_mask") if path.suffix in _SUFFIXES else None


def _advice(told: str, task: str) -> str:
    return told.format(model=f"AutoModel{task_rules(task).model_classes[0]}")


def _names(folder: Path) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in islice(entries, _MOST_ENTRIES):
            yield entry.name
