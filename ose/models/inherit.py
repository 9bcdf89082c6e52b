"""Copy the chosen parts of a teacher into a student."""

from __future__ import annotations

import re

import torch
from transformers import PreTrainedModel

from ose.models.extraction import Extraction

_LAYER = re.compile(r"\.layer\.(\d+)\.")


def inherit(teacher: PreTrainedModel, student: PreTrainedModel, extraction: Extraction) -> None:
    """Copy the chosen parts of the teacher into the student, in place.

    Matrices are carried over into the student's coordinates on both sides. A LayerNorm works on single
    channels, which have no counterpart once the stream is rotated: its weights become their mean over the
    channels that a direction is made of.

    Args:
        teacher: A model of a class in `INHERITABLE_MODEL_TYPES`.
        student: A model of the same class, on the teacher's device. All its weights are written.
        extraction: What to keep; its sizes are the student's.
    """
    extraction = extraction.to(student.device)
    source = dict(teacher.named_parameters())
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            match = _LAYER.search(name)
            layer = int(match[1]) if match else None
            tensor = source[_teacher_name(name, layer, extraction)]
            for dimension, change in enumerate(_changes(name, layer, tensor.ndim, extraction)):
                if change is not None:
                    tensor = _changed(tensor, dimension, change)
            parameter.copy_(tensor)


def _teacher_name(name: str, layer: int | None, extraction: Extraction) -> str:
    if layer is None:
        return name
    return name.replace(f".layer.{layer}.", f".layer.{extraction.layers[layer]}.", 1)


def _changed(tensor: torch.Tensor, dimension: int, change: torch.Tensor) -> torch.Tensor:
    """One dimension in other coordinates: some of its indices, or its product with a matrix."""
    if change.ndim == 1:
        return tensor.index_select(dimension, change)
    return torch.tensordot(tensor, change, dims=([dimension], [0])).movedim(-1, dimension)


def _changes(name: str, layer: int | None, ndim: int, extraction: Extraction) -> tuple[torch.Tensor | None, ...]:
    """What becomes of each dimension of a parameter; None leaves it as it is."""
    basis = extraction.basis
    if _is_norm_weight(name):
        return (basis.square(),)
    if layer is not None:
        return _layer_changes(name, layer, extraction)[:ndim]
    if "embeddings" in name and ndim == 2:
        return (None, basis)
    if _is_per_token(name):
        return (None, basis)[:ndim]
    return (basis, basis)[:ndim]


def _layer_changes(name: str, layer: int, extraction: Extraction) -> tuple[torch.Tensor, torch.Tensor]:
    rows = columns = extraction.basis
    heads = extraction.heads[layer]
    if ".attention.self." in name:
        rows = getattr(heads, name.split(".")[-2])
    elif ".attention.output.dense." in name:
        columns = heads.output
    elif ".intermediate.dense." in name:
        rows = extraction.neurons[layer]
    elif ".output.dense." in name:
        columns = extraction.neurons[layer]
    return rows, columns


def _is_norm_weight(name: str) -> bool:
    return name.endswith(("LayerNorm.weight", "layer_norm.weight"))


def _is_per_token(name: str) -> bool:
    return name in ("lm_head.bias", "cls.predictions.bias") or ".decoder." in name
