"""A student in distillation: what it is compared with its teacher by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from typing import Self

import torch
from torch import nn
from transformers import PreTrainedModel

from ose.core.recipe import OF_STATES, DistillationSpec, relation_place
from ose.errors import InvalidInputError
from ose.families.attention import kept_attention
from ose.families.models import architecture_of
from ose.tasks.base import Batch, Encoded, Task
from ose.training.losses import cosine_loss, hidden_state_loss, relation_loss
from ose.training.positions import token_weights
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
    logits: float = 0.0
    labels: float = 0.0

    @classmethod
    def of(cls, values: torch.Tensor) -> Self:
        """From what `DistillationModule` returns."""
        return cls(**dict(zip((field.name for field in fields(cls)), values.tolist(), strict=True)))


class DistillationModule(nn.Module):
    """A student with the projection that its hidden states need to be compared with the teacher's.

    The projection, one for all layers, is trained along and thrown away at the end (TinyBERT, arXiv 1909.10351, W_h).
    """

    def __init__(self, task: Task, student: PreTrainedModel, teacher_hidden_size: int) -> None:
        super().__init__()
        self._task = task
        self.student = student
        width = student.config.hidden_size
        self.projection = (
            nn.Identity() if width == teacher_hidden_size else nn.Linear(width, teacher_hidden_size, bias=False)
        )

    def forward(self, batch: Batch, teacher: PreTrainedModel, spec: DistillationSpec) -> torch.Tensor:
        """The values of a `StepLosses`, in its order; nothing is computed for a loss that weighs nothing.

        Raises:
            TeacherError: Relations are asked of a teacher whose queries, keys and values are not found.
            InvalidInputError: The relations' layer or heads do not fit, or the task has none of the losses.
        """
        with autocast(self.student.device, spec.precision):
            losses = self._losses(batch, teacher, spec)
        weights = asdict(spec.weights)
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        switched_off = torch.zeros_like(total)
        return torch.stack([total, *(losses.get(name, switched_off) for name in weights)])

    def _losses(self, batch: Batch, teacher: PreTrainedModel, spec: DistillationSpec) -> dict[str, torch.Tensor]:
        """Those that weigh something, by their names in `LossWeights`: of the task's outputs, then of states."""
        comparison = self._compare(batch, teacher, spec)
        losses = dict(
            self._task.output_losses(comparison.student.encoded, lambda: comparison.teacher().encoded, batch, spec)
        )
        losses |= {name: getattr(comparison, name)() for name in OF_STATES if getattr(spec.weights, name)}
        if not losses:
            asked = ", ".join(name for name, weight in asdict(spec.weights).items() if weight)
            raise InvalidInputError(f"the task {self._task.rules.name} has no loss of {asked}; nothing would be learnt")
        return losses

    def _compare(self, batch: Batch, teacher: PreTrainedModel, spec: DistillationSpec) -> _Comparison:
        """Run the student; the teacher is run by the first loss that looks at it."""
        all_layers = spec.weights.hidden_states > 0
        last, layer, heads = None, None, 1
        if spec.weights.relations:
            last = -1
            layer, heads = relation_place(spec, architecture_of(teacher), architecture_of(self.student))
        look = partial(_look, self._task, batch=batch, all_layers=all_layers)
        return _Comparison(
            student=look(self.student, layer=last),
            teacher=cache(torch.no_grad()(partial(look, teacher, layer=layer))),
            project=self.projection,
            relation_heads=heads,
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    """A model on a micro-batch, with the queries, keys and values of one layer if they were asked for."""

    encoded: Encoded
    attention: Sequence[torch.Tensor]


def _look(task: Task, model: PreTrainedModel, *, batch: Batch, all_layers: bool, layer: int | None) -> _Seen:
    with kept_attention(model, task.rules.name, layer) as attention:
        return _Seen(task.encode(model, batch, all_layers=all_layers), attention)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """A student's states and its teacher's on one micro-batch, with a method for each loss that looks at states.

    Attributes:
        teacher: Runs the teacher once, without gradients.
    """

    student: _Seen
    teacher: Callable[[], _Seen]
    project: nn.Module
    relation_heads: int

    def cosine(self) -> torch.Tensor:
        teachers, students = self.teacher().encoded.states, self.project(self.student.encoded.states)
        return cosine_loss(teachers.float(), students.float(), self._weights)

    def relations(self) -> torch.Tensor:
        mask = self.student.encoded.attention_mask
        return relation_loss(self.teacher().attention, self.student.attention, self.relation_heads, mask)

    def hidden_states(self) -> torch.Tensor:
        projected = [self.project(states).float() for states in self.student.encoded.layer_states]
        teachers = [states.float() for states in self.teacher().encoded.layer_states]
        return hidden_state_loss(teachers, projected, self._weights)

    @property
    def _weights(self) -> torch.Tensor | None:
        """Of the tokens: texts count alike, however long they are."""
        mask = self.student.encoded.attention_mask
        return None if mask is None else token_weights(mask)
