"""What people want to know of a model that fills masks, beside the loss that ranks it.

A metric is a function here and its line in `METRICS`: from the worker to the leaderboard all else goes by the name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """A model's answers at the masked positions of B held-out sequences, K of each, over V tokens.

    Attributes:
        logits: (B, K, V), up to a constant at each position, in the precision that the model ran in.
        log_probs: (B, K, V), float32, of the same answers.
        labels: (B, K), the true tokens.
    """

    logits: torch.Tensor
    log_probs: torch.Tensor
    labels: torch.Tensor


def masked_lm_loss_nats(outputs: Outputs) -> torch.Tensor:
    """(B,): cross-entropy against the true tokens."""
    of_labels = outputs.log_probs.gather(-1, outputs.labels[..., None])
    return (-of_labels).double().mean(dim=(1, 2))


def masked_accuracy(outputs: Outputs) -> torch.Tensor:
    """(B,): share of the tokens that the model ranks first."""
    return (outputs.logits.argmax(-1) == outputs.labels).double().mean(dim=1)


METRICS: dict[str, Callable[[Outputs], torch.Tensor]] = {
    "masked_lm_loss_nats": masked_lm_loss_nats,
    "masked_accuracy": masked_accuracy,
}
"""By name, which ends in the unit; one figure for each sequence, on the outputs' device, without waiting for it."""
