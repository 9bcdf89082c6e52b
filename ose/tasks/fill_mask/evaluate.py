"""How well a model fills in masked tokens: loss and accuracy with their standard errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ose.core.measurement import mean_and_stderr

Predictor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""(input_ids (B, T), positions (B, K)) to logits (B, K, V)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedLmQuality:
    """Against the true tokens. Standard errors are over sequences, whose targets are correlated."""

    loss_nats: float
    loss_stderr_nats: float
    accuracy: float
    accuracy_stderr: float
    num_targets: int


def masked_lm_quality(
    predict: Predictor, input_ids: torch.Tensor, positions: torch.Tensor, labels: torch.Tensor, batch_size: int = 16
) -> MaskedLmQuality:
    """Score a model on held-out masked positions.

    Args:
        predict: The model, from corrupted sequences and positions to logits.
        input_ids: (N, T), corrupted.
        positions: (N, K).
        labels: (N, K), the true tokens.
        batch_size: Sequences at once; it changes memory, not the result.
    """
    losses, hits = [], []
    with torch.inference_mode():
        for rows in torch.arange(len(input_ids)).split(batch_size):
            logits = predict(input_ids[rows], positions[rows]).float()
            losses.append(F.cross_entropy(logits.flatten(0, 1), labels[rows].flatten(), reduction="none"))
            hits.append((logits.argmax(-1) == labels[rows]).flatten().float())
    loss, loss_stderr = mean_and_stderr(torch.cat(losses).view_as(labels).double().mean(dim=1).tolist())
    accuracy, accuracy_stderr = mean_and_stderr(torch.cat(hits).view_as(labels).double().mean(dim=1).tolist())
    return MaskedLmQuality(
        loss_nats=loss,
        loss_stderr_nats=loss_stderr,
        accuracy=accuracy,
        accuracy_stderr=accuracy_stderr,
        num_targets=labels.numel(),
    )
