"""The end of every training step here: gradients are clipped, weights change, losses have to be numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from ose.errors import NonFiniteLossError


def take_step(module: nn.Module, optimizer: torch.optim.Optimizer, max_grad_norm: float) -> None:
    """Clip the gradients to a global norm, let the optimiser use them, and drop them. Never waits for the device."""
    nn.utils.clip_grad_norm_(module.parameters(), max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def require_finite(losses: Sequence[float], step: int, num_steps: int) -> None:
    """Stop a training that has diverged.

    Args:
        losses: Of one step, the one that is trained on first.
        step: 0 for the first.
        num_steps: Of the training.

    Raises:
        NonFiniteLossError: One is no number, or infinite.
    """
    if not all(math.isfinite(loss) for loss in losses):
        raise NonFiniteLossError(f"the loss is {losses[0]} at step {step + 1} of {num_steps}")
