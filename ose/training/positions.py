"""Pick the states that a head reads out of those of whole sequences."""

from __future__ import annotations

import torch


def at_positions(values: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Pick (B, K, N) out of (B, T, N)."""
    return values.gather(1, positions[..., None].expand(-1, -1, values.shape[-1]))
