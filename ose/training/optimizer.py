"""AdamW and the learning-rate curve that every training here uses."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


def build_optimizer(
    model: nn.Module,
    learning_rate: float | torch.Tensor,
    *,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.98),
    eps: float = 1e-6,
) -> torch.optim.AdamW:
    """AdamW with RoBERTa's constants; biases and LayerNorm weights are not decayed.

    On a GPU its steps can be recorded in a CUDA graph.

    Args:
        model: Its trainable parameters are optimised.
        learning_rate: A tensor of one element is read anew at each step, on the device where it lies.
        weight_decay: Of matrices.
        betas: Decay of the two moments.
        eps: Added to the root of the second moment.

    Source:
        arXiv 1907.11692, appendix B (betas, eps, weight decay).
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=learning_rate, betas=betas, eps=eps, fused=True, capturable=parameters[0].is_cuda
    )


def learning_rate_factor(step: int, num_steps: int, warmup_fraction: float) -> float:
    """Linear warm-up, then linear decay to zero, as a share of the peak.

    Args:
        step: 0 for the first step.
        num_steps: Length of the whole run.
        warmup_fraction: Share of the steps spent warming up.
    """
    warmup_steps = max(1, round(warmup_fraction * num_steps))
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    return (num_steps - step) / max(1, num_steps - warmup_steps)


def learning_rate_factors(phases: Sequence[int], warmup_fraction: float) -> list[float]:
    """The factor of each step of a training in phases: each has a warm-up and a decay of its own.

    A phase that ended at a rate of zero can be gone on from, and what is judged after it is a finished training. The
    phases are steps at their ends, ascending.
    """
    begins = (0, *phases[:-1])
    return [
        learning_rate_factor(step, end - begin, warmup_fraction)
        for begin, end in zip(begins, phases, strict=True)
        for step in range(end - begin)
    ]


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Use `learning_rate` for the next step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
