"""The losses of full distillation that look at a student's logits."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from ose.core.recipe import DistillationSpec
from ose.tasks.text_classification.answers import answers_of, distances
from ose.tasks.text_classification.forward import EncodedTexts
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind


def output_losses(
    student: EncodedTexts,
    teacher: Callable[[], EncodedTexts],
    batch: TextItems,
    spec: DistillationSpec,
) -> dict[str, torch.Tensor]:
    """`soft_targets`, `logits` and `labels`. See `ose.tasks.base.Task.output_losses`."""
    losses: dict[str, torch.Tensor] = {}
    kind = student.kind
    if spec.weights.soft_targets:
        losses["soft_targets"] = _soft_target_loss(teacher().logits, student.logits, kind, spec.temperature)
    if spec.weights.logits:
        losses["logits"] = F.mse_loss(student.logits.float(), teacher().logits.float())
    if spec.weights.labels and batch.labels is not None:
        losses["labels"] = _known_label_loss(student.logits, batch.to(student.logits.device), kind)
    return losses


def _known_label_loss(logits: torch.Tensor, batch: TextItems, kind: Kind) -> torch.Tensor:
    """The loss of those whose words are the labelled ones, shared among all, so that micro-batches sum to a batch."""
    assert batch.labels is not None
    if batch.are_changed is None:
        return label_loss(logits, batch.labels, kind)
    known = ~batch.are_changed
    if not known.any():
        return logits.sum() * 0
    return label_loss(logits[known], batch.labels[known], kind) * known.float().mean()


def label_loss(logits: torch.Tensor, labels: torch.Tensor, kind: Kind) -> torch.Tensor:
    """Mean loss against what is true: cross-entropy over labels, for each of several, or the squared error.

    Args:
        logits: (B, L).
        labels: (B,) ids or numbers, or (B, L) zeros and ones.
        kind: What the logits mean.
    """
    logits = logits.float()
    if kind == "single_label":
        return F.cross_entropy(logits, labels.long())
    if kind == "multi_label":
        return F.binary_cross_entropy_with_logits(logits, labels.float())
    return F.mse_loss(logits[:, 0], labels.float())


def _soft_target_loss(
    teacher_logits: torch.Tensor, logits: torch.Tensor, kind: Kind, temperature: float
) -> torch.Tensor:
    """Cross-entropy of softened distributions less the teacher's own entropy, times T^2; of numbers the squared error.

    T^2 keeps the gradient's size when T changes (Hinton et al., arXiv 1503.02531, section 2).
    """
    if kind == "one_logit":
        return F.mse_loss(logits.float(), teacher_logits.float())
    expected, answers = (answers_of(each.float() / temperature, kind) for each in (teacher_logits, logits))
    divergence = distances(expected, answers) - distances(expected, expected)
    return divergence.mean() * temperature**2
