"""Text classification as submission knows it: one text or two, to labels or to one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ose.core.reference import BAG_OF_WORDS, HALF_DEPTH, LABELS_ALONE, STATIC_EMBEDDING
from ose.data.tables import Row
from ose.tasks.rules import TaskRules
from ose.tasks.text_classification.kinds import kind_of, num_labels


def _num_outputs(config: Mapping[str, Any], place: Path) -> int:
    kind_of(config, place)
    return num_labels(config, place)


def _check_rows(config: Mapping[str, Any], train: Sequence[Row], held_out: Sequence[Row]) -> tuple[str, ...]:
    from ose.tasks.text_classification.row_labels import check_labels  # loads numpy, which submission does without

    return check_labels(config, train, held_out) if train[0].label is not None else ()


RULES = TaskRules(
    name="text_classification",
    model_kind="text classifier",
    model_classes=("ForSequenceClassification",),
    head_kind="classification head",
    head_prefixes=("classifier.", "score.", "pre_classifier.", "classification_head."),
    unused_parts=("lm_head.", "cls.", "qa_outputs.", "vocab_transform.", "vocab_layer_norm.", "vocab_projector."),
    columns=("text", "text_pair", "label", "query_id"),
    pipeline_tag="text-classification",
    load_line='pipeline("text-classification", model={folder})',
    timed_part="model",
    held_out_items=2000,
    learning_rate=1e-4,  # students start near to their teacher: a masked language model's 5e-4 drives them away
    num_outputs=_num_outputs,
    output_losses=("soft_targets", "logits", "labels"),
    num_positions=lambda num_tokens: 1,
    check_rows=_check_rows,
    output_weights=("classifier.weight", "classifier.out_proj.weight", "score.weight"),
    references=(HALF_DEPTH, LABELS_ALONE, STATIC_EMBEDDING, BAG_OF_WORDS),
    recipe={"preset": "task", "steps": 3_000, "batch_size": 32, "micro_batch_size": 32, "general_steps": 1_000},
)
