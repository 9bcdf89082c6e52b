"""Judge a classifier on the held-out items of a search: its distance from the teacher, and what people call it by."""

from __future__ import annotations

from typing import Any

import torch
from transformers import PreTrainedModel

from ose.core.measurement import LabelFlips
from ose.core.recipe import Precision
from ose.tasks.base import HeldOutQuality
from ose.tasks.text_classification.answers import answers_of, distances, variance_of
from ose.tasks.text_classification.classification_data import ClassificationData
from ose.tasks.text_classification.flips import flips, flips_of_several
from ose.tasks.text_classification.forward import all_logits
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.metrics import Truths, metrics_of, said_labels


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
    return quality_of_logits(judged.cpu(), data.held_out_logits[: len(judged)].cpu(), held_out, data.kind)


def quality_of_logits(
    logits: torch.Tensor, teacher_logits: torch.Tensor, held_out: TextItems, kind: Kind
) -> HeldOutQuality:
    """The same of logits (M, L), with the teacher's for the same items.

    Raises:
        NonFiniteLossError: A logit is not finite.
    """
    expected = answers_of(teacher_logits, kind)
    losses = distances(expected, answers_of(logits, kind), variance_of(expected))
    truths = Truths(
        labels=_array(held_out.labels), teacher_scores=teacher_logits.numpy(), query_ids=_array(held_out.queries)
    )
    metrics = metrics_of(kind, logits.numpy(), truths)
    return HeldOutQuality.of(losses.double().tolist(), metrics, _flips(kind, logits.numpy(), teacher_logits.numpy()))


def _flips(kind: Kind, scores: Any, teacher_scores: Any) -> tuple[LabelFlips, ...]:
    if kind == "multi_label":
        return flips_of_several(said_labels(scores), said_labels(teacher_scores))
    return flips(scores, teacher_scores) if kind == "single_label" else ()


def _array(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.numpy()
