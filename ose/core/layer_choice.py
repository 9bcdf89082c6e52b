"""Which of a teacher's layers a student keeps: the rules people choose by, as functions of two depths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from ose.errors import InvalidInputError

LayerRule = Literal["distilbert", "even", "alternate", "bottom", "top", "influence", "ablation", "elimination"]
LayerChoice = LayerRule | tuple[int, ...]
"""A rule, or the layers themselves, counted from 0."""

MEASURED_RULES = ("influence", "ablation", "elimination")
"""Rules that keep the layers that matter most by a measurement of the teacher."""


def kept_layers(
    choice: LayerChoice, num_teacher_layers: int, num_student_layers: int, importance: Sequence[float] | None = None
) -> tuple[int, ...]:
    """The teacher's layer for each of the student's, ascending.

    Args:
        choice: `distilbert`: the first, the last, and the others at equal distance (of 12, six are its 0, 2, 4,
            7, 9, 11). `even`: the last layer of each of D equal blocks, TinyBERT's m -> mL/D (1, 3, 5, 7, 9, 11).
            `alternate`: the first of each block, DynaBERT's floor(mL/D) (0, 2, 4, 6, 8, 10). `bottom` and `top`: the
            first or the last D. `influence`, `ablation`, `elimination`: the D of highest importance.
        num_teacher_layers: L.
        num_student_layers: D.
        importance: One number a teacher layer, for the rules that measure.

    Raises:
        InvalidInputError: The teacher has not that many layers, or the layers named are not D of them in order.
    """
    total, kept = num_teacher_layers, num_student_layers
    if kept > total:
        raise InvalidInputError(f"{kept} layers cannot be kept of a teacher's {total}")
    if kept == total and isinstance(choice, str):
        return tuple(range(total))
    match choice:
        case "distilbert":
            gap = (total - 1) / max(1, kept - 1)
            return tuple(round(index * gap) for index in range(kept))
        case "even":
            return tuple((index + 1) * total // kept - 1 for index in range(kept))
        case "alternate":
            return tuple(index * total // kept for index in range(kept))
        case "bottom":
            return tuple(range(kept))
        case "top":
            return tuple(range(total - kept, total))
        case "influence" | "ablation" | "elimination":
            return _most_important(kept, importance)
        case _:
            return _named(choice, total, kept)


def has_to_eliminate(choices: Iterable[LayerChoice], num_teacher_layers: int, num_student_layers: int) -> bool:
    """Whether the rule that takes longest to measure decides for a student of this depth."""
    return num_student_layers < num_teacher_layers and "elimination" in choices


def _most_important(kept: int, importance: Sequence[float] | None) -> tuple[int, ...]:
    if importance is None:
        raise InvalidInputError("layers by importance need a measurement of it")
    ranked = sorted(range(len(importance)), key=lambda layer: -importance[layer])
    return tuple(sorted(ranked[:kept]))


def _named(layers: tuple[int, ...], total: int, kept: int) -> tuple[int, ...]:
    if len(layers) != kept:
        raise InvalidInputError(f"layers {list(layers)} are {len(layers)}, but the student has {kept}")
    if not layers or list(layers) != sorted(set(layers)) or not 0 <= layers[0] <= layers[-1] < total:
        raise InvalidInputError(f"layers {list(layers)} are not in ascending order between 0 and {total - 1}")
    return layers
