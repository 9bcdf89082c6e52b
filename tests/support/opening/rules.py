"""A second task, for tests: what kind of text a sequence is, and how varied, told at its first token."""

from ose.tasks.rules import TaskRules

RULES = TaskRules(
    name="opening",
    model_kind="masked language model",
    model_classes=("ForMaskedLM",),
    head_kind="vocabulary head",
    head_prefixes=("lm_head.", "cls.predictions."),
    unused_parts=("pooler.",),
    columns=("text",),
    pipeline_tag="text-classification",
    load_line="AutoModelForMaskedLM.from_pretrained({folder})",
    timed_part="encoder",
    held_out_items=128,
    learning_rate=5e-4,
    num_outputs=lambda config, place: 0,
    output_losses=("soft_targets", "masked_lm"),
)
