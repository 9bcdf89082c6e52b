"""How a chosen student is distilled fully. The defaults are DistilBERT's recipe."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from ose.core.bounds import require_not_negative, require_positive, require_seed
from ose.core.inheritance import Initialization
from ose.core.layers import LayerChoice
from ose.errors import InvalidInputError

Precision = Literal["auto", "float32", "bfloat16"]
Preset = Literal["distilbert"]

MAX_MASK_FRACTION = 0.4
"""Half of a packed sequence may be special tokens, which are never masked; the rest must suffice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossWeights:
    """Weights of the distillation losses; zero leaves a loss out.

    Attributes:
        soft_targets: Divergence from the teacher's softened distribution, times T^2.
        masked_lm: Cross-entropy against the true tokens.
        cosine: Cosine distance of the last hidden states; a narrower student is projected up.
    """

    __pydantic_config__ = {"extra": "forbid"}

    soft_targets: float = 5.0
    masked_lm: float = 2.0
    cosine: float = 1.0

    def __post_init__(self) -> None:
        values = (self.soft_targets, self.masked_lm, self.cosine)
        if not all(value >= 0 for value in values) or max(values) == 0:
            raise InvalidInputError(f"loss weights must not be negative, nor all zero: {list(values)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationSpec:
    """Full distillation of the chosen student.

    Attributes:
        preset: A published recipe; the other fields' defaults are DistilBERT's as its scripts run it.
        steps: Optimiser steps.
        batch_size: Sequences a step.
        micro_batch_size: Sequences at once at most; a step accumulates over them. Logits of 16 sequences of
            128 tokens over 50,265 tokens take 0.4 GB, of which a step holds several copies.
        learning_rate: Peak; linear warm-up, then linear decay to zero.
        warmup_fraction: Share of the steps of warm-up.
        weight_decay: Of matrices.
        max_grad_norm: Gradients are clipped to this global norm.
        temperature: T of the soft targets.
        weights: Of the three losses.
        positions: Where the soft targets are taken: `all` tokens, as DistilBERT, or the `masked` ones
            alone, which on a CPU is several times faster.
        mask_fraction: Share of positions masked, drawn anew each step.
        precision: Of the arithmetic; `auto` takes bfloat16 where the processor multiplies it natively.
        checkpoint_every: Steps between checkpoints.
        seed: Decides masks and batch order.
        initialization: How the student starts; None as in the search.
        layers: The teacher's layers that it keeps; None as in the search.
    """

    __pydantic_config__ = {"extra": "forbid"}

    preset: Preset = "distilbert"
    steps: int = 20_000
    batch_size: int = 64
    micro_batch_size: int = 16
    learning_rate: float = 5e-4
    warmup_fraction: float = 0.05
    weight_decay: float = 0.0
    max_grad_norm: float = 5.0
    temperature: float = 2.0
    weights: LossWeights = field(default_factory=LossWeights)
    positions: Literal["all", "masked"] = "all"
    mask_fraction: float = 0.15
    precision: Precision = "auto"
    checkpoint_every: int = 500
    seed: int = 0
    initialization: Initialization | None = None
    layers: LayerChoice | None = None

    def __post_init__(self) -> None:
        require_positive(
            self, "steps", "batch_size", "micro_batch_size", "learning_rate", "max_grad_norm", "temperature",
            "checkpoint_every",
        )  # fmt: skip
        require_not_negative(self, "weight_decay")
        require_seed(self.seed)
        if not 0 <= self.warmup_fraction < 1:
            raise InvalidInputError(f"warmup_fraction must be in [0, 1), not {self.warmup_fraction}")
        if not 0 < self.mask_fraction <= MAX_MASK_FRACTION:
            raise InvalidInputError(f"mask_fraction must be in (0, {MAX_MASK_FRACTION}], not {self.mask_fraction}")
        if self.preset not in get_args(Preset):
            raise InvalidInputError(f"preset must be one of {', '.join(get_args(Preset))}, not {self.preset!r}")
