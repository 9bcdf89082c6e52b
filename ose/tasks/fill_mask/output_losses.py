"""The losses of full distillation that look at a student's logits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch.nn import functional as F

from ose.core.recipe import DistillationSpec
from ose.tasks.fill_mask.forward import EncodedTokens
from ose.tasks.fill_mask.masking import MaskedBatch
from ose.training.losses import soft_target_loss


def output_losses(
    student: EncodedTokens, teacher: Callable[[], EncodedTokens], batch: MaskedBatch, spec: DistillationSpec
) -> dict[str, torch.Tensor]:
    """`soft_targets` and `masked_lm`. See `ose.tasks.base.Task.output_losses`."""
    batch = batch.to(student.states.device)
    logits = cache(student.logits)  # both may want them at the same positions
    losses: dict[str, torch.Tensor] = {}
    if spec.weights.soft_targets:
        where = None if spec.positions == "all" else batch.positions
        with torch.no_grad():
            teacher_logits = teacher().logits(where)
        losses["soft_targets"] = soft_target_loss(
            teacher_logits.flatten(0, 1).float(), logits(where).flatten(0, 1).float(), spec.temperature
        )
    if spec.weights.masked_lm:
        masked = logits(batch.positions)
        losses["masked_lm"] = F.cross_entropy(masked.flatten(0, 1).float(), batch.labels.flatten())
    return losses
