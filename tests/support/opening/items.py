"""Packed sequences with two labels each, which come from their text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from ose.data.search_spans import ONE_SPAN, Span, batch_rows

ANSWERS = (5, 6, 7)
"""Words at the first token whose logits are the answer: two for the kind of the text, and one for its variety."""


@dataclass(frozen=True, slots=True)
class Items:
    """N sequences.

    Attributes:
        input_ids: (N, T).
        positions: (N, 1), the first token.
        kinds: (N,), 1 where a bracket is in the text, else 0.
        varieties: (N,), the share of tokens that are no repetition.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    kinds: torch.Tensor
    varieties: torch.Tensor

    @classmethod
    def of(cls, input_ids: torch.Tensor, tokenizer: PreTrainedTokenizerBase) -> Items:
        texts = tokenizer.batch_decode(input_ids.tolist())
        return cls(
            input_ids=input_ids,
            positions=torch.zeros(len(input_ids), 1, dtype=torch.long),
            kinds=torch.tensor([int("(" in text) for text in texts]),
            varieties=torch.tensor([len(set(row)) / len(row) for row in input_ids.tolist()]),
        )

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        return {"input_ids": self.input_ids[rows]}

    def take(self, rows: torch.Tensor) -> Items:
        return Items(*(getattr(self, each.name)[rows] for each in fields(self)))

    def to(self, device: torch.device) -> Items:
        return Items(*(getattr(self, each.name).to(device) for each in fields(self)))

    def loss(self, outputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        kinds, varieties = answers_in(outputs).split([2, 1], dim=-1)
        right = self.take(rows.to(self.kinds.device)).to(outputs.device)
        return F.cross_entropy(kinds, right.kinds) + F.mse_loss(varieties[:, 0], right.varieties)

    def save(self, file: Path) -> None:
        save_file({each.name: getattr(self, each.name).contiguous() for each in fields(self)}, file)

    @classmethod
    def load(cls, files: Sequence[Path]) -> Items:
        stored = [load_file(file) for file in files]
        return cls(*(torch.cat([each[field.name] for each in stored]) for field in fields(cls)))


@dataclass(frozen=True, slots=True)
class OpeningData:
    """Items, with the teacher's answers (N, 3) to them."""

    train: Items
    answers: torch.Tensor
    held_out: Items
    held_out_answers: torch.Tensor
    spans: tuple[Span, ...] = ONE_SPAN

    def batch_rows(self, num_steps: int, batch_size: int) -> torch.Tensor:
        return batch_rows(self.spans, len(self.train.input_ids), num_steps, batch_size)


def answers_in(outputs: torch.Tensor) -> torch.Tensor:
    """(B, 3) out of a vocabulary head's (B, 1, V)."""
    return torch.stack([outputs[:, 0, word] for word in ANSWERS], dim=-1).float()


def distances(teacher: torch.Tensor, answers: torch.Tensor) -> torch.Tensor:
    """(B,): cross-entropy of the kinds, and the squared difference of the varieties."""
    kinds = -(teacher[:, :2].softmax(-1) * answers[:, :2].log_softmax(-1)).sum(-1)
    return kinds + (teacher[:, 2] - answers[:, 2]).square()
