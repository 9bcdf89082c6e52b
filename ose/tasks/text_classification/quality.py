"""Judge a classifier on the held-out items of a search: its distance from the teacher, and what people call it by."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from ose.core.recipe import Precision
from ose.tasks.base import HeldOutQuality
from ose.tasks.text_classification.answers import answers_of, distances, variance_of
from ose.tasks.text_classification.classification_data import ClassificationData
from ose.tasks.text_classification.flips import flips_beside
from ose.tasks.text_classification.forward import all_logits
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.label_scores import truths_of
from ose.tasks.text_classification.metrics import metrics_of


def judge(
    student: PreTrainedModel, data: ClassificationData, num_items: int | None, precision: Precision
) -> torch.Tensor:
    """(M, L): a student's logits for the held-out items, not waited for."""
    return all_logits(student, data.held_out.take(slice(num_items)), precision)


def quality_of(judged: torch.Tensor, data: ClassificationData) -> HeldOutQuality:
    """What `judge` has found, held against the teacher and the labels.

    Raises:
        NonFiniteLossError: The student has diverged.
    """
    held_out = data.held_out.take(slice(len(judged))).to(torch.device("cpu"))
    teacher_logits = data.held_out_logits[: len(judged)].cpu()
    return quality_of_logits(judged.cpu(), teacher_logits, held_out, data.kind, data.threshold)


def quality_of_logits(
    logits: torch.Tensor, teacher_logits: torch.Tensor, held_out: TextItems, kind: Kind, threshold: float = 0.0
) -> HeldOutQuality:
    """The same of logits (M, L), with the teacher's for the same items, and what one logit must exceed to say 1.

    Raises:
        NonFiniteLossError: A logit is not finite.
    """
    expected = answers_of(teacher_logits, kind)
    losses = distances(expected, answers_of(logits, kind), variance_of(expected))
    scores, teacher_scores = logits.numpy(), teacher_logits.numpy()
    metrics = metrics_of(kind, scores, truths_of(held_out, threshold, teacher_scores))
    return HeldOutQuality.of(losses.double().tolist(), metrics, flips_beside(kind, scores, teacher_scores))
