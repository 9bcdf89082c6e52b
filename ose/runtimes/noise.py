"""Weights of no meaning, for models that are only timed."""

from __future__ import annotations

import torch
from torch import nn

_BLOCK = 65_521


def fill_with_noise(module: nn.Module) -> None:
    """Give every weight a small value, for models that are only timed: what is blank may hold numbers that slow a CPU.

    One block of normal values is repeated, which takes a tenth of the time of drawing them all. Its length is prime,
    so that no two rows of a matrix are alike.
    """
    block = 0.02 * torch.randn(_BLOCK, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in module.parameters():
            values = block.to(parameter)
            for part in parameter.view(-1).split(_BLOCK):
                part.copy_(values[: len(part)])
