"""A student in distillation: what it is compared with its teacher by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from ose.core.recipe import DistillationSpec, LossWeights, relation_place
from ose.families.bert.model import architecture_of
from ose.tasks.fill_mask.forward import Encoded, encode
from ose.tasks.fill_mask.masking import MaskedBatch
from ose.training.losses import cosine_loss, hidden_state_loss, relation_loss, soft_target_loss
from ose.training.precision import autocast


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """The losses of one optimiser step, means over its targets; 0 for one that is switched off.

    Attributes:
        total: Their weighted sum. The others are those of `LossWeights`, before weighting.
    """

    total: float
    soft_targets: float
    masked_lm: float
    cosine: float
    relations: float
    hidden_states: float

    @classmethod
    def of(cls, values: torch.Tensor) -> Self:
        """From what `DistillationModule` returns."""
        return cls(**dict(zip((field.name for field in fields(cls)), values.tolist(), strict=True)))


class DistillationModule(nn.Module):
    """A student with the projection that its hidden states need to be compared with the teacher's.

    The projection, one for all layers, is trained along and thrown away at the end (TinyBERT, arXiv 1909.10351, W_h).
    """

    def __init__(self, student: PreTrainedModel, teacher_hidden_size: int) -> None:
        super().__init__()
        self.student = student
        width = student.config.hidden_size
        self.projection = (
            nn.Identity() if width == teacher_hidden_size else nn.Linear(width, teacher_hidden_size, bias=False)
        )

    def forward(self, batch: MaskedBatch, teacher: PreTrainedModel, spec: DistillationSpec) -> torch.Tensor:
        """The values of a `StepLosses`, in its order; nothing is computed for a loss that weighs nothing.

        Raises:
            TeacherError: Relations are asked of a teacher that has not BERT's names.
            InvalidInputError: The relations' layer or heads do not fit.
        """
        with autocast(self.student.device, spec.precision):
            comparison = self._compare(batch, teacher, spec)
            losses = {name: getattr(comparison, name)() for name, weight in asdict(spec.weights).items() if weight}
        total = torch.stack([getattr(spec.weights, name) * loss for name, loss in losses.items()]).sum()
        switched_off = torch.zeros_like(total)
        return torch.stack([total, *(losses.get(field.name, switched_off) for field in fields(LossWeights))])

    def _compare(self, batch: MaskedBatch, teacher: PreTrainedModel, spec: DistillationSpec) -> _Comparison:
        """Run the student; the teacher is run by the first loss that looks at it."""
        device, all_layers = self.student.device, spec.weights.hidden_states > 0
        input_ids = batch.input_ids.to(device)
        last, layer, heads = None, None, 1
        if spec.weights.relations:
            last = -1
            layer, heads = relation_place(spec, architecture_of(teacher), architecture_of(self.student))
        student = encode(self.student, input_ids, all_layers=all_layers, attention_of=last)
        return _Comparison(
            spec=spec,
            student=student,
            student_logits=cache(student.logits),
            teacher=cache(
                torch.no_grad()(partial(encode, teacher, input_ids, all_layers=all_layers, attention_of=layer))
            ),
            positions=batch.positions.to(device),
            labels=batch.labels.to(device),
            project=self.projection,
            relation_heads=heads,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """A student and its teacher on one batch, with a method for each field of `LossWeights`.

    Attributes:
        student_logits: The student's `logits`, remembered: two losses may want them at the same positions.
        teacher: Runs the teacher once, without gradients.
    """

    spec: DistillationSpec
    student: Encoded
    student_logits: Callable[[torch.Tensor | None], torch.Tensor]
    teacher: Callable[[], Encoded]
    positions: torch.Tensor
    labels: torch.Tensor
    project: nn.Module
    relation_heads: int

    def soft_targets(self) -> torch.Tensor:
        where = None if self.spec.positions == "all" else self.positions
        with torch.no_grad():
            teacher_logits = self.teacher().logits(where)
        logits = self.student_logits(where)
        return soft_target_loss(
            teacher_logits.flatten(0, 1).float(), logits.flatten(0, 1).float(), self.spec.temperature
        )

    def masked_lm(self) -> torch.Tensor:
        logits = self.student_logits(self.positions)
        return F.cross_entropy(logits.flatten(0, 1).float(), self.labels.flatten())

    def cosine(self) -> torch.Tensor:
        return cosine_loss(self.teacher().states.float(), self.project(self.student.states).float())

    def relations(self) -> torch.Tensor:
        return relation_loss(self.teacher().attention, self.student.attention, self.relation_heads)

    def hidden_states(self) -> torch.Tensor:
        projected = [self.project(states).float() for states in self.student.layer_states]
        return hidden_state_loss([states.float() for states in self.teacher().layer_states], projected)
