"""What the candidates of a search for a classifier are trained and judged on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch

from ose.data.search_spans import ONE_SPAN, Span, batch_rows
from ose.tasks.text_classification.answers import answers_of, variance_of
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind


@dataclass(frozen=True, kw_only=True)
class ClassificationData:
    """Everything a candidate is trained and judged on.

    Attributes:
        train: N items.
        answers: The teacher's to them, as `answers_of` makes them.
        held_out: M items.
        held_out_logits: (M, L), the teacher's for them.
        kind: What the model's outputs mean.
        threshold: What one of them has to exceed to say 1.
        spans: Which of the N items which steps are trained on.
    """

    train: TextItems
    answers: torch.Tensor
    held_out: TextItems
    held_out_logits: torch.Tensor
    kind: Kind
    threshold: float = 0.0
    spans: tuple[Span, ...] = ONE_SPAN

    @cached_property
    def variance(self) -> float:
        """Of the teacher's numbers for the held-out items, in which all squared differences are told."""
        return variance_of(answers_of(self.held_out_logits, self.kind))

    def batch_rows(self, num_steps: int, batch_size: int) -> torch.Tensor:
        """(num_steps, batch_size): the training items of each step."""
        return batch_rows(self.spans, len(self.train), num_steps, batch_size)


def on_device(data: ClassificationData, device: torch.device) -> ClassificationData:
    """The data where students train: in a GPU's memory, or for a CPU as they are."""
    if device.type == "cpu" or data.answers.device == device:
        return data
    return replace(
        data,
        train=data.train.to(device),
        answers=data.answers.to(device),
        held_out=data.held_out.to(device),
        held_out_logits=data.held_out_logits.to(device),
    )
