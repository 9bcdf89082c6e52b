"""Recipes, our own and published ones: what each sets, and how the fields that people name stand above it.

A preset says how a student learns, not how long or on what machine: steps, batch sizes, seed, precision and
checkpoints stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from ose.core.recipe import DistillationSpec, LossWeights
from ose.errors import InvalidInputError

RECIPE_FIELDS = (
    "learning_rate", "warmup_fraction", "weight_decay", "betas", "max_grad_norm", "temperature", "weights",
    "positions", "relation_heads", "relation_layer", "mask_fraction", "mask_smoothing", "sequences",
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
    weights = content.pop("weights")
    return replace(spec, **content, weights=LossWeights(**weights) if isinstance(weights, Mapping) else weights)


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


def _changed_weights(weights: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    unknown = given.keys() - weights.keys()
    if unknown:
        raise InvalidInputError(f"there is no loss called {', '.join(sorted(unknown))}")
    return {**weights, **given}
