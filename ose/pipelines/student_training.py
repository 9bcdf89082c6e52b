"""The training of one candidate: every step the same work on the same tensors, so that a GPU can replay it."""

from __future__ import annotations

import math

import torch
from transformers import PreTrainedModel

from ose.core.task import EvaluateTask
from ose.errors import NonFiniteLossError
from ose.models.forward import logits_at
from ose.pipelines.resident_data import ResidentData
from ose.pipelines.search_data import SearchData
from ose.training.attention import quick_attention
from ose.training.lane import Lane
from ose.training.optimizer import build_optimizer, learning_rate_factor
from ose.training.precision import autocast
from ose.training.sampled_loss import sampled_cross_entropy

MAX_GRAD_NORM = 1.0


class StudentTraining:
    """Trains a student in place with the distribution loss at masked positions.

    All that differs between steps (rows of the batch, learning rate, place of the loss) is looked up on the device by
    a counter there. So a step is the same sequence of kernels each time, and nobody waits for its loss.

    Args:
        student: On the device where it trains; so are the data, if that is a GPU.
        task: How long, and with which hyperparameters.
        data: The search's batches and the teacher's draws.
    """

    def __init__(self, student: PreTrainedModel, task: EvaluateTask, data: SearchData | ResidentData) -> None:
        self._student, self._task, self._data = student, task, data
        device, hyperparameters = student.device, task.hyperparameters
        # The fused optimiser reads a learning rate on a GPU as float32; on a CPU float64 is what a plain number is.
        precision = torch.float64 if device.type == "cpu" else torch.float32
        self._rate = torch.zeros(1, dtype=precision, device=device)
        self._optimizer = build_optimizer(student, self._rate, weight_decay=hyperparameters.weight_decay)
        factors = [
            learning_rate_factor(step, task.num_steps, hyperparameters.warmup_fraction)
            for step in range(task.num_steps)
        ]
        rates = [hyperparameters.learning_rate * factor for factor in factors]
        self._rates = torch.tensor(rates, dtype=precision, device=device)
        rows = torch.arange(task.num_steps * hyperparameters.batch_size, device=device) % len(data.train.input_ids)
        self._rows = rows.view(task.num_steps, hyperparameters.batch_size)
        self._losses = torch.zeros(task.num_steps, device=device)
        self._index = torch.zeros(1, dtype=torch.long, device=device)

    def run(self, lane: Lane) -> None:
        """Queue all steps.

        Raises:
            NonFiniteLossError: Training diverged, on a CPU. On a GPU, `losses` tells.
        """
        with quick_attention(self._student):
            lane.repeat(self._step, self._task.num_steps)

    def losses(self) -> list[float]:
        """Each step's loss; waits for the last.

        Raises:
            NonFiniteLossError: Training diverged.
        """
        losses: list[float] = self._losses.tolist()
        for step, loss in enumerate(losses):
            self._require_finite(step, loss)
        return losses

    def _step(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)  # a recording that failed half-way leaves gradients
        torch.index_select(self._rates, 0, self._index, out=self._rate)
        loss = self._loss(self._rows.index_select(0, self._index)[0])
        self._losses.index_copy_(0, self._index, loss.detach()[None])
        if loss.device.type == "cpu":  # where waiting for a loss costs nothing
            self._require_finite(int(self._index), loss.item())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._student.parameters(), MAX_GRAD_NORM)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        if self._task.weight_clip is not None:
            _clip_weights(self._student, self._task.weight_clip)
        self._index += 1

    def _loss(self, rows: torch.Tensor) -> torch.Tensor:
        batch = self._data.train
        with autocast(self._student.device, self._task.precision):
            logits = logits_at(self._student, batch.input_ids[rows], batch.positions[rows])
        return sampled_cross_entropy(logits, self._data.draws_of(rows))

    def _require_finite(self, step: int, loss: float) -> None:
        if not math.isfinite(loss):
            raise NonFiniteLossError(f"the loss is {loss} at step {step + 1} of {self._task.num_steps}")


def _clip_weights(model: torch.nn.Module, bound: float) -> None:
    """Force every weight into [-bound, bound]: the compactness that the approximation's proof assumes."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.clamp_(-bound, bound)
