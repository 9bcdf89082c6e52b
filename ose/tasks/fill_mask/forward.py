"""Run a masked language model with its vocabulary head only where there is a target.

The head is the largest matrix product of a small model (H x V a token, against about 12 H^2
a layer); with 15 % of the positions masked, computing it everywhere wastes 85 % of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from transformers import PreTrainedModel

from ose.tasks.onnx_model import OnnxModel
from ose.training.positions import at_positions

_HEAD_NAMES = ("lm_head", "cls")
"""RoBERTa's family calls its head `lm_head`, BERT's `cls`; both map (..., H) to (..., V)."""


@dataclass(frozen=True, slots=True)
class EncodedTokens:
    """An encoder's output, from which logits are computed where they are wanted.

    Attributes:
        states: (B, T, H), the last layer's hidden states.
        head: The vocabulary head, or None for a class that keeps it in several modules.
        all_logits: (B, T, V) in that case, computed already.
        layer_states: (B, T, H) each, the embeddings and every layer's output, if they were asked for.
    """

    states: torch.Tensor
    head: nn.Module | None
    all_logits: torch.Tensor | None
    layer_states: tuple[torch.Tensor, ...] = ()

    attention_mask: None = field(default=None, init=False)
    """Sequences are full."""

    def logits(self, positions: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (B, K, V) at `positions` (B, K), or (B, T, V) everywhere."""
        if self.head is None:
            assert self.all_logits is not None
            return self.all_logits if positions is None else at_positions(self.all_logits, positions)
        picked: torch.Tensor = self.head(self.states if positions is None else at_positions(self.states, positions))
        return picked


def encode(model: PreTrainedModel, input_ids: torch.Tensor, *, all_layers: bool = False) -> EncodedTokens:
    """Run the encoder of a masked language model over full sequences without padding.

    Args:
        model: Any masked language model; one whose head is no single module is run whole.
        input_ids: (B, T).
        all_layers: Keep the embeddings and every layer's output.
    """
    head = next((getattr(model, name) for name in _HEAD_NAMES if hasattr(model, name)), None)
    whole_model = head is None
    output = (model if whole_model else model.base_model)(
        input_ids=input_ids, output_hidden_states=whole_model or all_layers
    )
    return EncodedTokens(
        states=output.hidden_states[-1] if whole_model else output.last_hidden_state,
        head=head,
        all_logits=output.logits if whole_model else None,
        layer_states=output.hidden_states if all_layers else (),
    )


def logits_at(model: PreTrainedModel | OnnxModel, input_ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Logits (B, K, V) at `positions` (B, K) of full sequences (B, T)."""
    if isinstance(model, OnnxModel):
        return at_positions(model(input_ids=input_ids).logits, positions)
    return encode(model, input_ids).logits(positions)
