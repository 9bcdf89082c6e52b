"""The values of a model's weights, looked at when it is loaded: whether any trained model has such."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ose.errors import TeacherError

MOST_ABSOLUTE = 10_000.0
"""Weights of trained encoders stay below some hundreds; 65,504 is the most that float16 can hold."""

_SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightValues:
    """What the values of all weights together are like.

    Attributes:
        largest: Absolute value.
        denormal_share: Of the weights, those so near to 0 that processors compute with them many times slower.
    """

    largest: float
    denormal_share: float


def require_sound_values(model: nn.Module, path: str | Path) -> WeightValues:
    """Refuse weights that no training leaves behind.

    Args:
        model: As it was loaded, in float32.
        path: Its directory, for messages.

    Raises:
        TeacherError: One is NaN, infinite, or larger than any trained model has.
    """
    largest = 0.0
    for name, parameter in model.named_parameters():
        tensor = parameter.detach()
        top = float(tensor.abs().max()) if tensor.numel() else 0.0  # NaN if one is
        if not top <= MOST_ABSOLUTE:
            raise TeacherError(
                f"{path}: {name} in its weights has {_worst(tensor)}, which no trained model has (at most "
                f"{MOST_ABSOLUTE:,.0f}); the file is damaged, or its training had diverged: take an earlier checkpoint"
            )
        largest = max(largest, top)
    return WeightValues(largest=largest, denormal_share=denormal_share(model))


def denormal_share(model: nn.Module) -> float:
    """The share of a model's weights that are denormal numbers: nearer to 0 than 1.2e-38, and not 0."""
    counts = [
        (int(((tensor.abs() < _SMALLEST_NORMAL) & (tensor != 0)).sum()), tensor.numel())
        for tensor in model.parameters()
    ]
    return sum(count for count, _ in counts) / max(1, sum(size for _, size in counts))


def _worst(tensor: torch.Tensor) -> str:
    bad = int((~torch.isfinite(tensor)).sum())
    return f"{bad:,} values that are NaN or infinite" if bad else f"a value of {float(tensor.abs().max()):.3g}"
