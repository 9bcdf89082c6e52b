"""The training of one candidate: every step the same work on the same tensors, so that a GPU can replay it."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from ose.core.messages import EvaluationRequest
from ose.tasks.base import SearchData
from ose.tasks.registry import load_task
from ose.training.cuda_stream import CudaStream
from ose.training.optimizer import build_optimizer, learning_rate_factors
from ose.training.phase_end import PhaseEnd
from ose.training.quick_attention import quick_attention
from ose.training.step import require_finite, take_step

MAX_GRAD_NORM = 1.0


class StudentTraining:
    """Trains a student in place with the loss of its task.

    All that differs between steps (rows of the batch, learning rate, place of the loss) is looked up on the device by
    a counter there. So a step is the same sequence of kernels each time, and its loss is not waited for.

    Args:
        student: On the device where it trains; so are the data, if that is a GPU.
        request: How long, in which phases, and with which hyperparameters.
        data: The search's items and the teacher's stored answers.
        start: The end of an earlier phase, whose weights and moments take the place of the student's; None begins with
            the first step. Either gives the same numbers.
    """

    def __init__(
        self,
        student: PreTrainedModel,
        request: EvaluationRequest,
        data: SearchData,
        start: PhaseEnd | None = None,
    ) -> None:
        self._student, self._request, self._data = student, request, data
        self._task = load_task(request.teacher.task)
        device, hyperparameters = student.device, request.hyperparameters
        # The fused optimiser reads a learning rate on a GPU as float32; on a CPU float64 is what a plain number is.
        precision = torch.float64 if device.type == "cpu" else torch.float32
        self._rate = torch.zeros(1, dtype=precision, device=device)
        self._optimizer = build_optimizer(student, self._rate, weight_decay=hyperparameters.weight_decay)
        factors = learning_rate_factors(request.phases, hyperparameters.warmup_fraction)
        rates = [hyperparameters.peak_learning_rate * factor for factor in factors]
        self._rates = torch.tensor(rates, dtype=precision, device=device)
        self._rows = data.batch_rows(request.num_steps, hyperparameters.batch_size).to(device)
        self._losses = torch.zeros(request.num_steps, device=device)
        self.first_step = 0 if start is None else start.put(student, self._optimizer, self._losses)
        self._index = torch.full((1,), self.first_step, dtype=torch.long, device=device)

    def run(self, stream: CudaStream) -> None:
        """Queue all steps.

        Raises:
            NonFiniteLossError: Training diverged, on a CPU. On a GPU, `losses` tells.
        """
        with quick_attention(self._student):
            stream.repeat(self._step, self._request.num_steps - self.first_step)

    def losses(self) -> list[float]:
        """Each step's loss; waits for the last.

        Raises:
            NonFiniteLossError: Training diverged.
        """
        losses: list[float] = self._losses.tolist()
        for step, loss in enumerate(losses):
            require_finite([loss], step, self._request.num_steps)
        return losses

    def end(self) -> PhaseEnd:
        """What another phase would go on from, once all steps are done."""
        return PhaseEnd.of(self._student, self._optimizer, self._losses)

    def _step(self) -> None:
        self._optimizer.zero_grad(set_to_none=True)  # a recording that failed half-way leaves gradients
        torch.index_select(self._rates, 0, self._index, out=self._rate)
        rows = self._rows.index_select(0, self._index)[0]
        loss = self._task.loss(self._student, self._data, rows, self._request.precision)
        self._losses.index_copy_(0, self._index, loss.detach()[None])
        if loss.device.type == "cpu":  # where waiting for a loss costs nothing
            require_finite([loss.item()], int(self._index), self._request.num_steps)
        loss.backward()
        take_step(self._student, self._optimizer, MAX_GRAD_NORM)
        if self._request.weight_clip is not None:
            _clip_weights(self._student, self._request.weight_clip)
        self._index += 1


def _clip_weights(model: torch.nn.Module, bound: float) -> None:
    """Force every weight into [-bound, bound]: the compactness that the approximation's proof assumes."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.clamp_(-bound, bound)
