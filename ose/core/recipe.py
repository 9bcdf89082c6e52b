"""How a chosen student is distilled fully."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple, dataclass, field, replace
from typing import Annotated, Literal, get_args

from ose.core.architecture import Architecture
from ose.core.augmentation import AugmentationSpec
from ose.core.bounds import BATCH, FACTOR, HEADS, LAYER, SEED, SHARE, STEPS, Bounds, require_bounds
from ose.core.inheritance import Initialization
from ose.core.layer_choice import LayerChoice
from ose.errors import InvalidInputError

Precision = Literal["auto", "float32", "bfloat16"]
Preset = Literal["ose", "distilbert", "bort", "minilm", "task", "tang"]
Positions = Literal["all", "masked"]
Sequences = Literal["packed", "documents"]

MAX_MASK_FRACTION = 0.4
"""Half of a packed sequence may be special tokens, which are never masked; the rest must suffice."""

_WEIGHT = Bounds(0, 1e6)


OF_STATES = ("cosine", "relations", "hidden_states")
"""Losses that look at states, which all tasks have; those of outputs are the task's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the distillation losses; zero leaves a loss out.

    Attributes:
        soft_targets: Divergence from the teacher's softened distribution, times T^2.
        masked_lm: Cross-entropy against the true tokens.
        cosine: Cosine distance of the last hidden states; a narrower student is projected up.
        relations: Divergence of the relations among queries, among keys and among values (MiniLMv2), the
            three summed; any width, no projection.
        hidden_states: Mean squared difference of every layer's output and of the embeddings from the mapped
            layer of the teacher; a narrower student is projected up.
        logits: Mean squared difference of a classifier's logits.
        labels: A classifier's loss against the labels, where the corpus has them.
    """

    __pydantic_config__ = {"extra": "forbid"}

    soft_targets: Annotated[float, _WEIGHT] = 1.0
    masked_lm: Annotated[float, _WEIGHT] = 0.2
    cosine: Annotated[float, _WEIGHT] = 0.2
    relations: Annotated[float, _WEIGHT] = 0.0
    hidden_states: Annotated[float, _WEIGHT] = 0.0
    logits: Annotated[float, _WEIGHT] = 0.0
    labels: Annotated[float, _WEIGHT] = 0.0

    def __post_init__(self) -> None:
        values = astuple(self)
        if not all(value >= 0 for value in values) or max(values) == 0:
            raise InvalidInputError(f"loss weights must not be negative, nor all zero: {list(values)}")
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationSpec:
    """Full distillation of the chosen student.

    Attributes:
        preset: The recipe that the fields below started from; the defaults are those that brought students nearest
            to their teacher in equal time (docs/RECIPES.md). Only a label by now: `ose.core.presets` has the values.
        steps: Optimiser steps.
        batch_size: Sequences a step.
        micro_batch_size: Sequences at once at most; a step accumulates over them. Logits of 16 sequences of
            128 tokens over 50,265 tokens take 0.4 GB, of which a step holds several copies. What is learnt does not
            depend on it.
        learning_rate: Peak; linear warm-up, then linear decay to zero.
        warmup_fraction: Share of the steps of warm-up.
        weight_decay: Of matrices.
        betas: Of AdamW.
        max_grad_norm: Gradients are clipped to this global norm.
        temperature: T of the soft targets.
        weights: Of the losses.
        positions: Where the soft targets are taken: `all` tokens, as DistilBERT, or the `masked` ones alone: what
            stands in the text teaches little, and the vocabulary head is most of a small student's step.
        relation_heads: Heads that queries, keys and values are split into again to be related; None takes the
            teacher's own number, or its largest divisor that divides the student's width.
        relation_layer: The teacher's layer that relations are taken from, counted from 0; None is its last.
        mask_fraction: Share of positions masked, drawn anew each step. Twice the usual: twice the targets for
            one pass of the encoders.
        mask_smoothing: A token is drawn with weight count^-s, so that rare words are masked more often; 0 draws
            evenly.
        sequences: `packed` to full length across documents, or `documents`: each on its own, in batches of one
            length, the shortest left out.
        precision: Of the arithmetic; `auto` takes bfloat16 where the processor multiplies it natively.
        checkpoint_every: Steps between checkpoints.
        evaluate_every: Steps between lines of the held-out curve, `curve.csv` in the distillation's folder; 0
            judges the student at its end alone.
        seed: Decides masks and batch order.
        initialization: How the student starts; None as in the search.
        layers: The teacher's layers that it keeps; None as in the search.
        augmentation: How texts are changed into others that the teacher labels too; None leaves them as they are.
        general_steps: Steps of a stage before, on text without labels, where the corpus has such.
    """

    __pydantic_config__ = {"extra": "forbid"}

    preset: Preset = "ose"
    steps: Annotated[int, STEPS] = 20_000
    batch_size: Annotated[int, BATCH] = 64
    micro_batch_size: Annotated[int, BATCH] = 16
    learning_rate: Annotated[float, Bounds(1e-12, 100)] = 5e-4
    warmup_fraction: Annotated[float, SHARE] = 0.05
    weight_decay: Annotated[float, Bounds(0, 1_000)] = 0.01
    betas: Annotated[tuple[float, float], SHARE] = (0.9, 0.98)
    max_grad_norm: Annotated[float, FACTOR] = 1.0
    temperature: Annotated[float, Bounds(1e-3, 1e3)] = 1.0
    weights: LossWeights = field(default_factory=LossWeights)
    positions: Positions = "masked"
    relation_heads: Annotated[int | None, HEADS] = None
    relation_layer: Annotated[int | None, LAYER] = None
    mask_fraction: Annotated[float, Bounds(1e-3, MAX_MASK_FRACTION)] = 0.3
    mask_smoothing: Annotated[float, Bounds(0, 100)] = 0.0
    sequences: Sequences = "packed"
    precision: Precision = "auto"
    checkpoint_every: Annotated[int, STEPS] = 500
    evaluate_every: Annotated[int, Bounds(0, STEPS.most)] = 0
    seed: Annotated[int, SEED] = 0
    initialization: Initialization | None = None
    layers: Annotated[LayerChoice | None, LAYER] = None
    augmentation: AugmentationSpec | None = None
    general_steps: Annotated[int, Bounds(0, STEPS.most)] = 0

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_fraction < 1:
            raise InvalidInputError(f"warmup_fraction must be in [0, 1), not {self.warmup_fraction}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise InvalidInputError(f"betas must be in [0, 1), not {list(self.betas)}")
        if not 0 < self.mask_fraction <= MAX_MASK_FRACTION:
            raise InvalidInputError(f"mask_fraction must be in (0, {MAX_MASK_FRACTION}], not {self.mask_fraction}")
        require_bounds(self)
        for name, kind in (("preset", Preset), ("positions", Positions), ("sequences", Sequences)):
            if getattr(self, name) not in get_args(kind):
                raise InvalidInputError(
                    f"{name} must be one of {', '.join(get_args(kind))}, not {getattr(self, name)!r}"
                )

    @property
    def all_steps(self) -> int:
        """Steps of both stages."""
        return self.general_steps + self.steps


def general_recipe(spec: DistillationSpec, *, relates: bool) -> DistillationSpec:
    """The recipe of the stage on text without labels: states and relations, as in TinyBERT's first stage.

    Args:
        spec: The recipe of the whole, whose optimiser and batches it shares.
        relates: Whether the teacher's queries, keys and values are found, and so can be related.
    """
    off = dict.fromkeys(asdict(spec.weights), 0.0)
    weights = LossWeights(**off | {"hidden_states": 1.0, "relations": float(relates)})
    return replace(spec, steps=spec.general_steps, weights=weights, augmentation=None, general_steps=0)


def relation_place(spec: DistillationSpec, teacher: Architecture, student: Architecture) -> tuple[int, int]:
    """The teacher's layer, counted from 0, and the number of heads that relations are compared by.

    Raises:
        InvalidInputError: The teacher lacks the layer, or the heads do not divide both widths.
    """
    layers, widths = teacher.num_hidden_layers, (teacher.hidden_size, student.hidden_size)
    layer = layers - 1 if spec.relation_layer is None else spec.relation_layer
    if not 0 <= layer < layers:
        raise InvalidInputError(f"relation_layer must be between 0 and {layers - 1}, the teacher's last, not {layer}")
    heads = spec.relation_heads or math.gcd(teacher.num_attention_heads, student.hidden_size)
    if any(width % heads for width in widths):
        raise InvalidInputError(
            f"relation_heads must divide the teacher's width {widths[0]} and the student's {widths[1]}, which "
            f"{heads} does not; the largest that does is {math.gcd(*widths)}"
        )
    return layer, heads
