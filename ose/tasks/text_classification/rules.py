"""Text classification as submission knows it: one text or two, to labels or to one number."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ose.tasks.base import TaskRules
from ose.tasks.text_classification.kinds import kind_of, num_labels


def _num_outputs(config: Mapping[str, Any], place: Path) -> int:
    kind_of(config, place)
    return num_labels(config, place)


RULES = TaskRules(
    name="text_classification",
    model_kind="text classifier",
    model_classes=("ForSequenceClassification",),
    head_kind="classification head",
    head_prefixes=("classifier.", "score.", "pre_classifier.", "classification_head."),
    unused_parts=("lm_head.", "cls.", "qa_outputs.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector."),
    columns=("text", "text_pair", "label", "query_id"),
    pipeline_tag="text-classification",
    timed_part="model",
    held_out_items=2000,
    num_outputs=_num_outputs,
    output_losses=("soft_targets", "logits", "labels"),
    output_weights=("classifier.weight", "classifier.out_proj.weight", "score.weight"),
    recipe={"preset": "task", "steps": 3_000, "batch_size": 32, "micro_batch_size": 32, "general_steps": 1_000},
)
