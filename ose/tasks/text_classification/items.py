"""Encoded texts with what is known of them, padded to one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file, save_file

from ose.artifacts.intact import intact_file, require_intact


@dataclass(frozen=True, slots=True, kw_only=True)
class TextItems:
    """N texts or pairs.

    Attributes:
        input_ids: (N, T), padded at the right.
        lengths: (N,), real tokens of each.
        token_type_ids: (N, T), of pairs that a model tells apart by them; else None.
        labels: (N,) ids or numbers, or (N, L) zeros and ones; None where the corpus has none.
        queries: (N,), equal for pairs that share a query; None likewise.
        are_changed: (N,), whether an item's words are not those that were labelled any more; None if none's are.
    """

    input_ids: torch.Tensor
    lengths: torch.Tensor
    token_type_ids: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    queries: torch.Tensor | None = None
    are_changed: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def positions(self) -> torch.Tensor:
        """(N, 1): the head reads the first token."""
        return torch.zeros(len(self), 1, dtype=torch.long, device=self.input_ids.device)

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        """What a model is called with for some of the items, on a CPU no longer than the longest of them.

        On a GPU all batches have one shape, so that a step can be recorded and replayed.
        """
        lengths = self.lengths[rows]
        width = int(lengths.max()) if lengths.device.type == "cpu" else self.input_ids.shape[1]
        mask = (torch.arange(width, device=lengths.device) < lengths[:, None]).long()
        inputs = {"input_ids": self.input_ids[rows, :width], "attention_mask": mask}
        return inputs if self.token_type_ids is None else inputs | {"token_type_ids": self.token_type_ids[rows, :width]}

    def take(self, rows: torch.Tensor | slice) -> Self:
        """Some of the items, as wide as all of them."""
        return replace(self, **{name: tensor[rows] for name, tensor in self._tensors().items()})

    def to(self, device: torch.device) -> Self:
        """The same on `device`."""
        return replace(self, **{name: tensor.to(device) for name, tensor in self._tensors().items()})

    def save(self, file: Path) -> None:
        """Write them as safetensors.

        Raises:
            StorageError: The file cannot be written.
        """
        with intact_file(file) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in self._tensors().items()}, temporary)

    @classmethod
    def unpadded(cls, input_ids: torch.Tensor) -> Self:
        """Texts (N, T) of one length."""
        return cls(input_ids=input_ids, lengths=torch.full((len(input_ids),), input_ids.shape[1]))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**load_file(require_intact(file)))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """All items of several, which are padded to one length."""
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in parts[0]._tensors()})

    def _tensors(self) -> dict[str, torch.Tensor]:
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: tensor for name, tensor in found.items() if tensor is not None}
