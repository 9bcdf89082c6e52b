"""Start a student from its teacher's weights: which parts it keeps, and how they are copied.

Choosing and copying are apart. A `Selection` says which layers, head rows, neurons and hidden
channels a student keeps; `inherit` copies them, whoever chose. With the teacher's own shape the
leading selection keeps everything in place, and the student is the teacher.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.errors import InvalidInputError

_LAYER = re.compile(r"\.layer\.(\d+)\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a student keeps of its teacher. All members index the teacher's axes.

    Attributes:
        layers: One teacher layer for each of the student's D layers.
        hidden: H channels of the residual stream, shared by every layer.
        head_rows: For each layer, H rows of the query, key and value matrices, head after head.
        neurons: For each layer, I neurons of the feed-forward layer.
    """

    layers: tuple[int, ...]
    hidden: torch.Tensor
    head_rows: tuple[torch.Tensor, ...]
    neurons: tuple[torch.Tensor, ...]


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The <D, A, H, I> of a model with BERT's names."""
    config = model.config
    return Architecture(
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
    )


def evenly_spaced_layers(num_teacher_layers: int, num_student_layers: int) -> tuple[int, ...]:
    """First and last layer, and the others at equal distance; 6 of 12 are DistilBERT's 0, 2, 4, 7, 9, 11."""
    if num_student_layers == 1:
        return (0,)
    gap = (num_teacher_layers - 1) / (num_student_layers - 1)
    return tuple(round(index * gap) for index in range(num_student_layers))


def leading_head_rows(teacher: Architecture, student: Architecture) -> torch.Tensor:
    """Rows of the teacher's query, key and value matrices for a student's heads.

    Where the student's heads are at most as wide and as many, head a keeps the leading rows of the
    teacher's head a. Otherwise the leading H rows are taken as they lie: wider heads join neighbours,
    more heads split them.
    """
    narrower = student.head_size <= teacher.head_size
    if narrower and student.num_attention_heads <= teacher.num_attention_heads:
        starts = torch.arange(student.num_attention_heads) * teacher.head_size
        return (starts[:, None] + torch.arange(student.head_size)).flatten()
    return torch.arange(student.hidden_size)


def leading_selection(teacher: Architecture, student: Architecture) -> Selection:
    """Evenly spaced layers, and of every other axis the leading part.

    Raises:
        InvalidInputError: The student is larger than the teacher in some axis.
    """
    for axis in ("num_hidden_layers", "hidden_size", "intermediate_size"):
        if getattr(student, axis) > getattr(teacher, axis):
            raise InvalidInputError(
                f"{student} cannot inherit from {teacher}: its {axis} is larger; use initialization: random"
            )
    depth = student.num_hidden_layers
    return Selection(
        layers=evenly_spaced_layers(teacher.num_hidden_layers, depth),
        hidden=torch.arange(student.hidden_size),
        head_rows=(leading_head_rows(teacher, student),) * depth,
        neurons=(torch.arange(student.intermediate_size),) * depth,
    )


def inherit(teacher: PreTrainedModel, student: PreTrainedModel, selection: Selection) -> None:
    """Copy the selected parts of the teacher into the student, in place.

    Args:
        teacher: A model of a class in `INHERITABLE_MODEL_TYPES`.
        student: A model of the same class.
        selection: What to keep; its sizes are the student's.
    """
    source = dict(teacher.named_parameters())
    with torch.no_grad():
        for name, parameter in student.named_parameters():
            layer = int(match[1]) if (match := _LAYER.search(name)) else None
            tensor = source[_teacher_name(name, layer, selection)]
            for dimension, index in enumerate(_indices(name, layer, tensor.ndim, selection)):
                if index is not None:
                    tensor = tensor.index_select(dimension, index.to(tensor.device))
            parameter.copy_(tensor)


def _teacher_name(name: str, layer: int | None, selection: Selection) -> str:
    if layer is None:
        return name
    return name.replace(f".layer.{layer}.", f".layer.{selection.layers[layer]}.", 1)


def _indices(name: str, layer: int | None, ndim: int, selection: Selection) -> tuple[torch.Tensor | None, ...]:
    """What to keep along each dimension of a parameter; None keeps all of it."""
    hidden = selection.hidden
    if layer is not None:
        rows, columns = hidden, hidden
        if ".attention.self." in name:
            rows = selection.head_rows[layer]
        elif ".attention.output.dense." in name:
            columns = selection.head_rows[layer]
        elif ".intermediate.dense." in name:
            rows = selection.neurons[layer]
        elif ".output.dense." in name:
            columns = selection.neurons[layer]
        return (rows, columns)[:ndim]
    if "embeddings" in name and ndim == 2:
        return (None, hidden)
    if _is_per_token(name):
        return (None, hidden)[:ndim]
    return (hidden, hidden)[:ndim]


def _is_per_token(name: str) -> bool:
    return name in ("lm_head.bias", "cls.predictions.bias") or ".decoder." in name
