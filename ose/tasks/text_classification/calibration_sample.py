"""Items to look at a teacher with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch

from ose.tasks.text_classification.answers import answers_of, truth_loss
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind

LEAST_TOKENS = 4
"""Texts are no shorter on average."""

_MOST_PADDED = 2
"""Of short and long texts together padding would take most of the time."""


@dataclass(frozen=True)
class CalibrationSample:
    """Items to look at a teacher with, and what it might have said of them: see `drawn_truth`."""

    items: TextItems
    truth: torch.Tensor
    kind: Kind

    @property
    def input_ids(self) -> torch.Tensor:
        """(N, T)."""
        return self._inputs["input_ids"]

    @property
    def positions(self) -> torch.Tensor:
        """(N, 1)."""
        return self.items.positions

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        """See `TextItems.inputs`; all rows are as wide as the longest of all."""
        return {name: each[rows] for name, each in self._inputs.items()}

    def loss(self, outputs: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Of a head's outputs (B, 1, L)."""
        return truth_loss(answers_of(outputs[:, 0], self.kind), self.truth[rows].to(outputs.device))

    @cached_property
    def _inputs(self) -> dict[str, torch.Tensor]:
        return self.items.inputs()


def first_items(items: TextItems, num_tokens: int) -> TextItems:
    """The first ones, as many as have so many tokens, or twice as many with their padding."""
    padded = items.lengths.cummax(dim=0).values * torch.arange(1, len(items) + 1)
    enough = (items.lengths.cumsum(dim=0) <= num_tokens) & (padded <= _MOST_PADDED * num_tokens)
    return items.take(slice(max(1, int(enough.sum()))))
