"""Copy the chosen parts of a teacher into a student."""

from __future__ import annotations

import re

import torch
from transformers import PreTrainedModel

from ose.extraction.choose import Extraction

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
    source, parts = dict(teacher.named_parameters()), _Parts(extraction, student.device)
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            match = _LAYER.search(name)
            layer = int(match[1]) if match else None
            tensor = source[_teacher_name(name, layer, extraction)]
            for dimension, change in enumerate(_changes(name, layer, tensor.ndim, parts)):
                if change is not None:
                    tensor = _changed(tensor, dimension, change)
            parameter.copy_(tensor)


class _Parts:
    """An extraction where the student lies. Matrices that only pick channels become the channels' indices.

    With those there is nothing to multiply: carrying the vocabulary matrix over takes longer than all the rest.
    """

    def __init__(self, extraction: Extraction, device: torch.device) -> None:
        simplified: dict[int, torch.Tensor] = {}  # one matrix may serve as several maps

        def simplify(matrix: torch.Tensor) -> torch.Tensor:
            if id(matrix) not in simplified:
                simplified[id(matrix)] = _picked(matrix).to(device)
            return simplified[id(matrix)]

        self.basis = simplify(extraction.basis)
        self.squares = self.basis if self.basis.ndim == 1 else self.basis.square()
        self.neurons = [each.to(device) for each in extraction.neurons]
        self.heads = [
            {name: simplify(getattr(maps, name)) for name in ("query", "key", "value", "output")}
            for maps in extraction.heads
        ]


def _picked(matrix: torch.Tensor) -> torch.Tensor:
    """The rows that a matrix's columns pick, if each picks one; else the matrix."""
    picks = matrix == 1
    if int(matrix.count_nonzero()) == matrix.shape[1] and bool((picks.sum(dim=0) == 1).all()):
        return picks.int().argmax(dim=0)
    return matrix


def _teacher_name(name: str, layer: int | None, extraction: Extraction) -> str:
    if layer is None:
        return name
    return name.replace(f".layer.{layer}.", f".layer.{extraction.layers[layer]}.", 1)


def _changed(tensor: torch.Tensor, dimension: int, change: torch.Tensor) -> torch.Tensor:
    """One dimension in other coordinates: some of its indices, or its product with a matrix."""
    if change.ndim == 1:
        return tensor.index_select(dimension, change)
    return torch.tensordot(tensor, change, dims=([dimension], [0])).movedim(-1, dimension)


def _changes(name: str, layer: int | None, ndim: int, parts: _Parts) -> tuple[torch.Tensor | None, ...]:
    """What becomes of each dimension of a parameter; None leaves it as it is."""
    basis = parts.basis
    if _is_norm_weight(name):
        return (parts.squares,)
    if layer is not None:
        return _layer_changes(name, layer, parts)[:ndim]
    if "embeddings" in name and ndim == 2:
        return (None, basis)
    if _is_per_token(name):
        return (None, basis)[:ndim]
    return (basis, basis)[:ndim]


def _layer_changes(name: str, layer: int, parts: _Parts) -> tuple[torch.Tensor, torch.Tensor]:
    rows = columns = parts.basis
    heads = parts.heads[layer]
    if ".attention.self." in name:
        rows = heads[name.split(".")[-2]]
    elif ".attention.output.dense." in name:
        columns = heads["output"]
    elif ".intermediate.dense." in name:
        rows = parts.neurons[layer]
    elif ".output.dense." in name:
        columns = parts.neurons[layer]
    return rows, columns


def _is_norm_weight(name: str) -> bool:
    return name.endswith(("LayerNorm.weight", "layer_norm.weight"))


def _is_per_token(name: str) -> bool:
    return name in ("lm_head.bias", "cls.predictions.bias") or ".decoder." in name
