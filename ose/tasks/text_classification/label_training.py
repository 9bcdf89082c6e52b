"""Train and judge a classifier by labels."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from ose.core.measurement import Metric
from ose.tasks.labelled import LabelledData
from ose.tasks.loading import load_with_new_head
from ose.tasks.text_classification import output_losses
from ose.tasks.text_classification.forward import all_logits, logits_of
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import PROBLEM_TYPES
from ose.tasks.text_classification.label_scores import scored_by_labels
from ose.tasks.text_classification.new_head import config_changes
from ose.tasks.text_classification.rules import RULES
from ose.tasks.text_classification.teacher import MODEL_CLASS, kind_of_model, load_classifier


def trainable_model(path: str | Path, data: LabelledData, seed: int) -> PreTrainedModel:
    """See `ose.tasks.labelled.LabelledTask`. What its outputs mean is written to its configuration."""
    if data.is_new_head:
        return load_with_new_head(MODEL_CLASS, path, config_changes(data.head), seed, RULES)
    model = load_classifier(path).requires_grad_(True)
    model.config.problem_type = PROBLEM_TYPES[data.head.kind]
    return model


def label_loss(model: PreTrainedModel, batch: TextItems) -> torch.Tensor:
    """See `ose.tasks.text_classification.output_losses.label_loss`."""
    logits = logits_of(model, batch.inputs())
    assert batch.labels is not None
    return output_losses.label_loss(logits, batch.labels.to(logits.device), kind_of_model(model))


def label_metrics(model: PreTrainedModel, items: TextItems) -> dict[str, Metric]:
    """Metrics by labels in float32, the loss last.

    Raises:
        NonFiniteLossError: The model has diverged.
    """
    kind = kind_of_model(model)
    return scored_by_labels(kind, all_logits(model, items).cpu().numpy(), items, model.config.problem_type)
