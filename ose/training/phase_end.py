"""The end of a phase of a candidate's training: all that the next phase goes on from, in one file without pickle."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ose.artifacts.files import remove_leftovers
from ose.artifacts.intact import intact_file, is_intact
from ose.training.checkpoint import restore_training, training_tensors

_LOSSES = "losses"


@dataclass(frozen=True, slots=True)
class PhaseEnd:
    """Weights, the optimiser's moments and the losses so far.

    Attributes:
        tensors: `losses`, and all `training_tensors`.
    """

    tensors: dict[str, torch.Tensor]

    @classmethod
    def of(cls, model: nn.Module, optimizer: torch.optim.Optimizer, losses: torch.Tensor) -> Self:
        """What has been trained; tied parameters once.

        Args:
            model: The student.
            optimizer: Of all its parameters.
            losses: (S,), one for each step.
        """
        return cls({_LOSSES: losses, **training_tensors(model, optimizer)})

    def put(self, model: nn.Module, optimizer: torch.optim.Optimizer, losses: torch.Tensor) -> int:
        """Give a student of the same shape these weights, its optimiser the moments, and `losses` its beginning.

        Returns:
            The steps that have been done.
        """
        restore_training({key: each for key, each in self.tensors.items() if key != _LOSSES}, model, optimizer)
        num_steps = len(self.tensors[_LOSSES])
        losses[:num_steps] = self.tensors[_LOSSES].to(losses.device)
        return num_steps

    def save(self, file: Path) -> None:
        """Write the file, unless it is there.

        Raises:
            StorageError: The disk is full or not writable.
        """
        if is_intact(file):
            return
        remove_leftovers(file.parent)
        with intact_file(file) as temporary:
            save_file({key: tensor.contiguous() for key, tensor in self.tensors.items()}, temporary)

    @classmethod
    def load(cls, file: Path) -> Self | None:
        """Read a file; None if there is none, or none that can be read: it was a cache."""
        if not is_intact(file):
            return None
        try:
            tensors = load_file(file)
        except (OSError, SafetensorError):
            return None
        return cls(tensors) if _LOSSES in tensors else None
