"""Masked language modelling as submission knows it."""

from __future__ import annotations

from ose.tasks.rules import TaskRules

RULES = TaskRules(
    name="fill_mask",
    model_kind="masked language model",
    model_classes=("ForMaskedLM", "ForPreTraining"),
    head_kind="vocabulary head",
    head_prefixes=(
        "lm_head.", "cls.predictions.", "vocab_transform.", "vocab_projector.", "generator_", "predictions.",
        "lm_predictions.", "head.", "decoder.", "pred_layer.",
    ),
    unused_parts=("pooler.", "seq_relationship.", "discriminator_predictions."),
    columns=("text",),
    pipeline_tag="fill-mask",
    load_line="AutoModelForMaskedLM.from_pretrained({folder})",
    timed_part="encoder",
    held_out_items=128,
    learning_rate=5e-4,
    num_outputs=lambda config, place: 0,
    output_losses=("soft_targets", "masked_lm"),
)  # fmt: skip
