"""Recipes, our own and published ones: what each sets, and how the fields that people name stand above it.

A preset says how a student learns, not how long or on what machine: steps, batch sizes, seed, precision and
checkpoints stay as they are. A job that names no preset has that of its task, which is known when it is submitted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from ose.core.augmentation import AugmentationSpec
from ose.core.recipe import DistillationSpec, LossWeights
from ose.errors import InvalidInputError

RECIPE_FIELDS = (
    "learning_rate", "warmup_fraction", "weight_decay", "betas", "max_grad_norm", "temperature", "weights",
    "positions", "relation_heads", "relation_layer", "mask_fraction", "mask_smoothing", "sequences", "augmentation",
)  # fmt: skip
"""What a preset sets, all of it: no preset leans on another's values."""

PRESETS: dict[str, dict[str, Any]] = {
    "ose": {name: getattr(DistillationSpec(), name) for name in RECIPE_FIELDS},
    # arXiv 1910.01108 as its scripts run it, with the weights of their single-GPU command.
    "distilbert": {
        "learning_rate": 5e-4,
        "warmup_fraction": 0.05,
        "weight_decay": 0.0,
        "betas": (0.9, 0.98),
        "max_grad_norm": 5.0,
        "temperature": 2.0,
        "weights": LossWeights(soft_targets=5.0, masked_lm=2.0, cosine=1.0),
        "positions": "all",
        "relation_heads": None,
        "relation_layer": None,
        "mask_fraction": 0.15,
        "mask_smoothing": 0.7,
        "sequences": "documents",
        "augmentation": None,
    },
    # The pre-training script released with arXiv 2010.10499, its divergence summed over the vocabulary.
    "bort": {
        "learning_rate": 1e-4,
        "warmup_fraction": 0.01,
        "weight_decay": 0.01,
        "betas": (0.9, 0.999),
        "max_grad_norm": 1.0,
        "temperature": 2.0,
        "weights": LossWeights(soft_targets=0.5, masked_lm=0.1, cosine=0.0),
        "positions": "masked",
        "relation_heads": None,
        "relation_layer": None,
        "mask_fraction": 0.15,
        "mask_smoothing": 0.0,
        "sequences": "packed",
        "augmentation": None,
    },
    # MiniLMv2, arXiv 2012.15828, with the numbers of its public re-implementation; clipping and packing are ours.
    "minilm": {
        "learning_rate": 6e-4,
        "warmup_fraction": 0.01,
        "weight_decay": 0.01,
        "betas": (0.9, 0.999),
        "max_grad_norm": 1.0,
        "temperature": 1.0,
        "weights": LossWeights(soft_targets=0.0, masked_lm=0.0, cosine=0.0, relations=1 / 3),
        "positions": "all",
        "relation_heads": None,
        "relation_layer": None,
        "mask_fraction": 0.15,
        "mask_smoothing": 0.0,
        "sequences": "packed",
        "augmentation": None,
    },
    # Nothing that was tried beside it was nearer to the teacher by more than its error (docs/RECIPES.md).
    "task": {
        "learning_rate": 3e-4,
        "warmup_fraction": 0.1,
        "weight_decay": 0.01,
        "betas": (0.9, 0.999),
        "max_grad_norm": 1.0,
        "temperature": 1.0,
        "weights": LossWeights(soft_targets=1.0, masked_lm=0.0, cosine=0.0),
        "positions": "all",
        "relation_heads": None,
        "relation_layer": None,
        "mask_fraction": 0.15,
        "mask_smoothing": 0.0,
        "sequences": "documents",
        "augmentation": None,
    },
    # Tang et al., arXiv 1903.12136, at the alpha of 0 that it found best; the optimiser is ours for its Adadelta.
    "tang": {
        "learning_rate": 3e-4,
        "warmup_fraction": 0.1,
        "weight_decay": 0.01,
        "betas": (0.9, 0.999),
        "max_grad_norm": 1.0,
        "temperature": 1.0,
        "weights": LossWeights(soft_targets=0.0, masked_lm=0.0, cosine=0.0, logits=1.0, labels=0.0),
        "positions": "all",
        "relation_heads": None,
        "relation_layer": None,
        "mask_fraction": 0.15,
        "mask_smoothing": 0.0,
        "sequences": "documents",
        "augmentation": AugmentationSpec(),
    },
}


def preset_spec(preset: str, **given: Any) -> DistillationSpec:
    """A preset with some fields named: what `distillation: {preset: bort, steps: 100}` means in a job file.

    Raises:
        InvalidInputError: No such preset or field, or a value without sense.
    """
    return changed_spec(DistillationSpec(), {"preset": preset, **given})


def changed_spec(spec: DistillationSpec, changes: Mapping[str, Any]) -> DistillationSpec:
    """`spec` with a preset's fields put over it, if `changes` name one, and the other changes over these.

    Args:
        spec: What to start from.
        changes: Fields of the spec. `weights` may be a mapping of those that change.

    Raises:
        InvalidInputError: No such preset or field, or a value without sense.
    """
    content = changed_content(spec, changes)
    for name, kind in (("weights", LossWeights), ("augmentation", AugmentationSpec)):
        if isinstance(content[name], Mapping):
            content[name] = kind(**content[name])
    return replace(spec, **content)


def changed_content(spec: DistillationSpec, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `changed_spec` as a job file would have them; what `changes` holds may be anything.

    Raises:
        InvalidInputError: No such preset or field.
    """
    unknown = changes.keys() - {field.name for field in fields(DistillationSpec)}
    if unknown:
        raise InvalidInputError(f"a distillation has no {', '.join(sorted(unknown))}")
    preset = changes.get("preset", spec.preset)
    if not isinstance(preset, str) or preset not in PRESETS:
        raise InvalidInputError(f"preset must be one of {', '.join(PRESETS)}, not {preset!r}")
    base = asdict(replace(spec, **PRESETS[preset]) if "preset" in changes else spec)
    given = dict(changes)
    if isinstance(given.get("weights"), Mapping):
        given["weights"] = _changed_weights(base["weights"], given["weights"])
    return {**base, **given}


def with_preset(content: Mapping[str, Any]) -> dict[str, Any]:
    """A job file's `distillation` with the values of the preset that it names; what it spells out stays.

    Content that is not of the right form is left for validation to complain of.
    """
    preset = content.get("preset")
    values = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    given = content.get("weights", {})
    if values and isinstance(given, Mapping):
        content = {**content, "weights": {**asdict(values["weights"]), **given}}
    return {**values, **content}


def task_spec(
    spec: DistillationSpec, spelled_out: Collection[str] | None, defaults: Mapping[str, Any]
) -> DistillationSpec:
    """A job's recipe once its task is known, which gives the preset and the lengths that the job does not name.

    Args:
        spec: As the job has it.
        spelled_out: The fields that its file names; None if it was made in Python, where those that are not as
            `DistillationSpec()` has them count as named.
        defaults: The task's: a preset and lengths.
    """
    asked = asked_content(spec, spelled_out)
    return changed_spec(DistillationSpec(), {**defaults, **asked})


def asked_content(spec: DistillationSpec, spelled_out: Collection[str] | None) -> dict[str, Any]:
    """The fields of a job's recipe that it names itself, as a job file would; see `task_spec`."""
    content = asdict(spec)
    if spelled_out is None:
        spelled_out = _unlike_defaults(content)
    if "preset" in spelled_out:  # whose values the recipe has by now
        spelled_out = {*spelled_out, *RECIPE_FIELDS}
    asked = {name: value for name, value in content.items() if name in spelled_out}
    weights = {name: value for name, value in content["weights"].items() if f"weights.{name}" in spelled_out}
    return {"weights": weights, **asked} if weights else asked


def spelled_out_in(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields that a job file's `distillation` names; of `weights` each one."""
    weights = content.get("weights")
    named = [name for name in content if name != "weights"]
    return (*named, *(f"weights.{name}" for name in weights)) if isinstance(weights, Mapping) else tuple(named)


def _unlike_defaults(content: Mapping[str, Any]) -> tuple[str, ...]:
    defaults = asdict(DistillationSpec())
    changed = [name for name in content if name != "weights" and content[name] != defaults[name]]
    weights, usual = content["weights"], defaults["weights"]
    return (*changed, *(f"weights.{name}" for name in weights if weights[name] != usual[name]))


def _changed_weights(weights: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - weights.keys()
    if unknown:
        raise InvalidInputError(f"there is no loss called {', '.join(sorted(unknown))}")
    return {**weights, **given}
