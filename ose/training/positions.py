"""Pick states out of those of whole sequences: those that a head reads, and those that are no padding."""

from __future__ import annotations

import torch


def at_positions(values: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Pick (B, K, N) out of (B, T, N)."""
    return values.gather(1, positions[..., None].expand(-1, -1, values.shape[-1]))


def at_tokens(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Pick (S, ...) out of (B, T, ...): the S real tokens, sequence after sequence.

    Args:
        values: Of all tokens.
        mask: (B, T), 0 at padding; None if there is none.
    """
    return values.flatten(0, 1) if mask is None else values[mask.bool()]


def put_tokens(tokens: torch.Tensor, into: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """The reverse: (B, T, ...) with `tokens` (S, ...) at real tokens, and what `into` has at padding."""
    if mask is None:
        return tokens.view_as(into)
    whole = into.clone()
    whole[mask.bool()] = tokens
    return whole


def token_weights(mask: torch.Tensor) -> torch.Tensor:
    """(S,), weights of real tokens that sum to 1 and give each sequence the same.

    So the mean over a batch does not depend on how it is divided into micro-batches, as long as they count by their
    sequences.

    Args:
        mask: (B, T), 0 at padding.
    """
    mask = mask.bool()
    shares = mask / (mask.sum(dim=1, keepdim=True) * len(mask))
    return shares[mask]
