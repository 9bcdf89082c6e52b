"""What a model is looked at with."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class MaskedSample:
    """A few masked sequences.

    Attributes:
        input_ids: (N, T), with holes.
        positions: (N, K), the holes.
        labels: (N, K), the tokens that stood there.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor
