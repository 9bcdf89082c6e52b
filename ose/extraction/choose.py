"""Choose what a student keeps of its teacher: layers, directions of the residual stream, heads and neurons."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.core.inheritance import HiddenRule, InheritanceSpec
from ose.core.layer_choice import kept_layers
from ose.errors import InvalidInputError
from ose.extraction.calibration import Calibration
from ose.extraction.head_parts import strongest
from ose.extraction.heads import HeadMaps, chosen_maps, leading_maps
from ose.families.models import architecture_of, parts_of
from ose.families.parts import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What a student keeps of its teacher.

    Attributes:
        layers: One teacher layer for each of the student's D layers.
        basis: (H of the teacher, H of the student), orthonormal columns: the student's residual stream is the
            teacher's times it. Unit vectors keep channels as they are.
        heads: For each layer, how its projections become the student's.
        neurons: For each layer, I of the teacher's feed-forward neurons.
        head_neurons: H of the neurons of a head that has some; None where the head works in the stream's coordinates.
    """

    layers: tuple[int, ...]
    basis: torch.Tensor
    heads: tuple[HeadMaps, ...]
    neurons: tuple[torch.Tensor, ...]
    head_neurons: torch.Tensor | None = None

    @property
    def head_change(self) -> torch.Tensor:
        """(H of the teacher, H of the student): changes what the head's last matrix reads into the student's."""
        if self.head_neurons is None:
            return self.basis
        return torch.eye(len(self.basis), device=self.basis.device)[:, self.head_neurons]

    def to(self, device: torch.device) -> Extraction:
        """The same on `device`."""
        return Extraction(
            layers=self.layers,
            basis=self.basis.to(device),
            heads=tuple(maps.to(device) for maps in self.heads),
            neurons=tuple(each.to(device) for each in self.neurons),
            head_neurons=None if self.head_neurons is None else self.head_neurons.to(device),
        )


def choose_extraction(
    teacher: PreTrainedModel,
    student: Architecture,
    spec: InheritanceSpec,
    calibration: Calibration | None,
    task: str,
) -> Extraction:
    """Follow the rules of `spec`.

    With the teacher's own shape every rule keeps everything in its place.

    Args:
        teacher: A model of a family that OSE knows.
        student: The shape wanted.
        spec: The rules.
        calibration: The teacher's; None will do where no rule needs it.
        task: Whose head the teacher has.

    Raises:
        InvalidInputError: The student is larger than the teacher in some axis, or the layers named do not fit.
    """
    whole, parts = architecture_of(teacher), parts_of(teacher, task)
    _check_fits(whole, student)
    layers = chosen_layers(spec, whole.num_hidden_layers, student.num_hidden_layers, calibration)
    basis = _basis(spec.hidden, whole.hidden_size, student.hidden_size, calibration)
    return Extraction(
        layers=layers,
        basis=basis,
        heads=tuple(_heads(parts.blocks[layer], whole, student, spec, calibration, basis, layer) for layer in layers),
        neurons=tuple(_neurons(student.intermediate_size, spec, calibration, layer) for layer in layers),
        head_neurons=_head_neurons(student.hidden_size, calibration) if parts.head.norm is None else None,
    )


def chosen_layers(spec: InheritanceSpec, total: int, kept: int, calibration: Calibration | None) -> tuple[int, ...]:
    """The teacher's layers that a student of `kept` layers keeps. See `ose.core.layer_choice.kept_layers`."""
    measured = {} if calibration is None else calibration.layer_importance()
    importance = measured.get(spec.layers) if isinstance(spec.layers, str) else None
    return kept_layers(spec.layers, total, kept, importance)


def _check_fits(teacher: Architecture, student: Architecture) -> None:
    for axis in ("num_hidden_layers", "hidden_size", "intermediate_size"):
        if getattr(student, axis) > getattr(teacher, axis):
            raise InvalidInputError(
                f"{student} cannot inherit from {teacher}: its {axis} is larger; use initialization: random"
            )


def _basis(rule: HiddenRule, total: int, kept: int, calibration: Calibration | None) -> torch.Tensor:
    everything = torch.eye(total)
    if rule == "leading" or kept == total:
        return everything[:, :kept]
    assert calibration is not None
    if rule == "rotation":
        return calibration.importance["hidden.components"][:, :kept]
    return everything[:, strongest(calibration.importance[f"hidden.{rule}"], kept)]


def _heads(
    block: Block,
    whole: Architecture,
    student: Architecture,
    spec: InheritanceSpec,
    calibration: Calibration | None,
    basis: torch.Tensor,
    layer: int,
) -> HeadMaps:
    if spec.heads == "leading":
        return leading_maps(whole, student)
    assert calibration is not None
    of_layer = {name: scores[layer] for name, scores in calibration.importance.items() if name.startswith("heads.")}
    projection = block.attention_output.weight.detach().cpu()
    return chosen_maps(whole, student, of_layer[f"heads.{spec.heads}"], of_layer, basis.T @ projection)


def _neurons(kept: int, spec: InheritanceSpec, calibration: Calibration | None, layer: int) -> torch.Tensor:
    if spec.neurons == "leading":
        return torch.arange(kept)
    assert calibration is not None
    return strongest(calibration.importance[f"neurons.{spec.neurons}"][layer], kept)


def _head_neurons(kept: int, calibration: Calibration | None) -> torch.Tensor:
    """By the rule that there is, or as they lie: no recipe speaks of them."""
    return torch.arange(kept) if calibration is None else strongest(calibration.importance["head.activation"], kept)
