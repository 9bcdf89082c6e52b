"""A student in distillation: what it is compared with its teacher by."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from ose.core.recipe import DistillationSpec
from ose.data.masking import MaskedBatch
from ose.models.forward import encode
from ose.training.losses import cosine_loss, soft_target_loss
from ose.training.precision import autocast


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """The losses of one optimiser step, means over its targets; 0 for one that is switched off."""

    total: float
    soft_targets: float
    masked_lm: float
    cosine: float

    @classmethod
    def of(cls, values: torch.Tensor) -> Self:
        """From what `Trainee` returns."""
        return cls(**dict(zip((field.name for field in fields(cls)), values.tolist(), strict=True)))


class Trainee(nn.Module):
    """A student with the projection that its hidden states need to be compared with the teacher's.

    The projection is trained along and thrown away at the end (TinyBERT, arXiv 1909.10351, W_h).
    """

    def __init__(self, student: PreTrainedModel, teacher_hidden_size: int) -> None:
        super().__init__()
        self.student = student
        width = student.config.hidden_size
        self.projection = (
            nn.Identity() if width == teacher_hidden_size else nn.Linear(width, teacher_hidden_size, bias=False)
        )

    def forward(self, batch: MaskedBatch, teacher: PreTrainedModel, spec: DistillationSpec) -> torch.Tensor:
        """The values of a `StepLosses`, in its order; nothing is computed for a loss that weighs nothing."""
        device = self.student.device
        weights = spec.weights
        input_ids, positions = batch.input_ids.to(device), batch.positions.to(device)
        soft = masked_lm = cosine = torch.zeros((), device=device)
        with autocast(device, spec.precision):
            student = encode(self.student, input_ids)
            logits_at = cache(student.logits)  # two losses may want them at the same positions
            if weights.soft_targets or weights.cosine:
                with torch.no_grad():
                    teacher = encode(teacher, input_ids)
            if weights.soft_targets:
                where = None if spec.positions == "all" else positions
                with torch.no_grad():
                    teacher_logits = teacher.logits(where)
                soft = soft_target_loss(
                    teacher_logits.flatten(0, 1).float(), logits_at(where).flatten(0, 1).float(), spec.temperature
                )
            if weights.masked_lm:
                labels = batch.labels.flatten().to(device)
                masked_lm = F.cross_entropy(logits_at(positions).flatten(0, 1).float(), labels)
            if weights.cosine:
                cosine = cosine_loss(teacher.states.float(), self.projection(student.states).float())
        total = weights.soft_targets * soft + weights.masked_lm * masked_lm + weights.cosine * cosine
        return torch.stack([total, soft, masked_lm, cosine])
