"""Choose and corrupt the positions that a masked language model has to fill in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import torch
from torch.nn import functional as F

from ose.core.masked_positions import MASKED_FRACTION, num_targets

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_TINY = 1e-12
"""In place of a draw of zero, which has no logarithm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskingRule:
    """BERT's corruption (arXiv 1810.04805, section 3.1) with one fixed count a sequence.

    Every packed sequence gets the same number of targets, so that targets form a plain
    (B, K) tensor; BERT draws each position independently.
    """

    mask_token_id: int
    special_token_ids: tuple[int, ...]
    vocab_size: int
    fraction: float = MASKED_FRACTION
    """Share of a sequence's positions that become targets."""
    replaced: float = 0.8
    """Share of the targets shown as the mask token."""
    random: float = 0.1
    """Share of the targets shown as a random token; the rest is shown unchanged."""
    token_weights: torch.Tensor | None = field(default=None, compare=False, repr=False)
    """(V,), how likely each token is drawn relative to others of its sequence; None draws evenly."""

    @classmethod
    def for_tokenizer(cls, tokenizer: PreTrainedTokenizerBase, fraction: float = MASKED_FRACTION) -> Self:
        """The rule for this tokenizer's vocabulary and special tokens."""
        return cls(
            mask_token_id=tokenizer.mask_token_id,
            special_token_ids=tuple(sorted(tokenizer.all_special_ids)),
            vocab_size=len(tokenizer),
            fraction=fraction,
        )


@dataclass(frozen=True, slots=True)
class MaskedBatch:
    """Sequences with holes.

    Attributes:
        input_ids: (B, T), the corrupted sequences.
        positions: (B, K), the targets' places in each sequence, ascending.
        labels: (B, K), the tokens that stood there.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    labels: torch.Tensor

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        """What a model is called with for some of the sequences; none has padding."""
        return {"input_ids": self.input_ids[rows]}

    def take(self, rows: torch.Tensor) -> MaskedBatch:
        """Some of the sequences."""
        return MaskedBatch(self.input_ids[rows], self.positions[rows], self.labels[rows])

    def to(self, device: torch.device) -> MaskedBatch:
        """The same on `device`."""
        return MaskedBatch(self.input_ids.to(device), self.positions.to(device), self.labels.to(device))

    def loss(self, logits: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Masked-LM loss, mean over targets, of logits (B, K, V) for the sequences in `rows` (B,)."""
        return F.cross_entropy(logits.flatten(0, 1).float(), self.labels[rows].flatten().to(logits.device))


def draw_masks(input_ids: torch.Tensor, rule: MaskingRule, generator: torch.Generator) -> MaskedBatch:
    """Corrupt full sequences at randomly drawn, never special, positions.

    Weighted draws are without replacement, the largest of log w + Gumbel noise (arXiv 1903.06059). DistilBERT's
    scripts draw over the whole batch at once; a fixed count for each sequence keeps targets in a rectangle.

    Args:
        input_ids: (B, T) int64, packed sequences.
        rule: How many positions, and what stands there instead.
        generator: Its state alone decides the draw.
    """
    count = num_targets(input_ids.shape[1], rule.fraction)
    keys = torch.rand(input_ids.shape, generator=generator)
    if rule.token_weights is not None:
        keys = rule.token_weights.log()[input_ids] - (-keys.clamp_min(_TINY).log()).log()
    keys[torch.isin(input_ids, torch.tensor(rule.special_token_ids))] = -torch.inf
    positions = keys.topk(count, dim=1).indices.sort(dim=1).values
    labels = input_ids.gather(1, positions)

    fate = torch.rand(labels.shape, generator=generator)
    random_ids = torch.randint(rule.vocab_size, labels.shape, generator=generator)
    shown = torch.where(fate < rule.replaced, rule.mask_token_id, labels)
    shown = torch.where((fate >= rule.replaced) & (fate < rule.replaced + rule.random), random_ids, shown)
    return MaskedBatch(input_ids.scatter(1, positions, shown), positions, labels)
