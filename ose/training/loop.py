"""The training loop of whole runs: a learning rate for each step, checkpoints, and going on from the last one.

A candidate's training in a search has no such loop: its steps are queued at once, so that a GPU can replay them. Both
end their steps by `ose.training.step`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from ose.training.checkpoint import load_checkpoint, save_checkpoint
from ose.training.optimizer import learning_rate_factor, set_learning_rate
from ose.training.parallel import is_first
from ose.training.step import take_step

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long, how fast, and how often a checkpoint is written; the last step always has one.

    Attributes:
        learning_rate: The peak; linear warm-up, then linear decay to zero.
    """

    steps: int
    learning_rate: float
    warmup_fraction: float
    max_grad_norm: float
    checkpoint_every: int


class TrainingLoop:
    """A training that goes on from its newest checkpoint, if there is one.

    Args:
        module: What is trained.
        optimizer: Of its parameters.
        schedule: For how long, and how.
        checkpoints: Their folder.

    Raises:
        InvalidInputError: The checkpoint belongs to a model of another shape.
    """

    def __init__(
        self, module: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, checkpoints: Path
    ) -> None:
        self._module, self._optimizer, self._schedule, self._checkpoints = module, optimizer, schedule, checkpoints
        state = load_checkpoint(checkpoints, module, optimizer) or {"step": 0, "wall_time_s": 0.0}
        self.first_step: int = state["step"]
        self._earlier_s: float = state["wall_time_s"]

    def run(self, backward: Callable[[int], Seen], on_step: Callable[[int, float, Seen], None]) -> float:
        """Take the steps that are left.

        Args:
            backward: Makes the gradients of a step, 0 for the first, and says what it has seen.
            on_step: Told of the number of steps done, the learning rate and what was seen, in the first of several
                processes that train together; then a checkpoint may follow.

        Returns:
            Wall time of all sessions together, in seconds.

        Raises:
            StorageError: A checkpoint could not be written; the one before it is untouched.
        """
        schedule, started = self._schedule, time.perf_counter() - self._earlier_s
        for step in range(self.first_step, schedule.steps):
            factor = learning_rate_factor(step, schedule.steps, schedule.warmup_fraction)
            set_learning_rate(self._optimizer, schedule.learning_rate * factor)
            seen = backward(step)
            take_step(self._module, self._optimizer, schedule.max_grad_norm)
            if not is_first():
                continue
            on_step(step + 1, schedule.learning_rate * factor, seen)
            if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == schedule.steps:
                state = {"wall_time_s": time.perf_counter() - started}
                save_checkpoint(self._checkpoints, step + 1, self._module, self._optimizer, state)
        return time.perf_counter() - started
