"""Refit a student's matrices to its teacher's activations, layer by layer, by least squares.

Copying leaves errors that add up from layer to layer: a narrower stream carries less, dropped neurons and layers
are missed. Each matrix in turn is therefore refitted to give what the teacher's has given on the same tokens, from
what the student really feeds it; queries, keys, values and neurons to the teacher's own, the two projections
back into the stream to the teacher's stream. The fit is ridge regression around the copied weights, so where
nothing is missed nothing changes.

Source:
    Reconstruction after structured pruning by linear least squares is Kwon et al.'s (arXiv 2204.09656, section
    3.3), which rescales what is kept; we refit whole matrices, one after the other, and LayerNorms along with them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from ose.extraction.calibration import Calibration
from ose.extraction.choose import Extraction
from ose.families.models import parts_of
from ose.families.parts import Parts, captured_input
from ose.training.positions import at_positions

_MIN_VARIANCE = 1e-6

_NOISE = 1e-10
"""Squared errors of this share of the targets are float32's rounding: nothing is missed."""


@torch.no_grad()
def fit_to_teacher(
    teacher: PreTrainedModel,
    student: PreTrainedModel,
    extraction: Extraction,
    calibration: Calibration,
    ridge: float,
    task: str,
) -> None:
    """Refit a student that has just inherited, in place.

    Where layers are left out, what a kept layer hands on is fitted to what the next kept one expects.

    Args:
        teacher: The model it was extracted from.
        student: Has inherited `extraction`; on the teacher's device.
        extraction: What it kept.
        calibration: The teacher's states on the sample; on the same device.
        ridge: Strength of the pull to the copied weights, as a share of the inputs' mean variance.
        task: Whose head both have.
    """
    parts = parts_of(teacher, task), parts_of(student, task)
    fit = _Fit(*parts, extraction.to(student.device), calibration, ridge)
    states = fit.embeddings()
    for index in range(len(extraction.layers)):
        states = fit.feed_forward(index, fit.attention(index, states))
    fit.head(states)


@dataclass(frozen=True, slots=True)
class _Fit:
    """The walk through a student; stream states are (N, T, H), everything fitted is flattened to (S, ...)."""

    teacher: Parts
    student: Parts
    extraction: Extraction
    calibration: Calibration
    ridge: float

    def embeddings(self) -> torch.Tensor:
        norm = self.student.embeddings.norm
        with captured_input(norm) as sums:
            self.student.embeddings.run(input_ids=self.calibration.input_ids)
        _fit_norm(norm, sums[0].flatten(0, 1), self._stream(0))
        normed: torch.Tensor = norm(sums[0])
        return normed

    def attention(self, index: int, states: torch.Tensor) -> torch.Tensor:
        kept, block = self.extraction.layers[index], self.student.blocks[index]
        source, heads = self.teacher.blocks[kept], self.extraction.heads[index]
        expected = self._teacher_stream(2 * kept)
        flat = states.flatten(0, 1)
        for name in ("query", "key", "value"):
            _fit_linear(getattr(block, name), flat, getattr(source, name)(expected) @ getattr(heads, name), self.ridge)
        context = block.attend(states)
        return self._into_stream(block.attention_output, block.attention_norm, context, states, 2 * kept + 1)

    def feed_forward(self, index: int, states: torch.Tensor) -> torch.Tensor:
        kept, block = self.extraction.layers[index], self.student.blocks[index]
        source, neurons = self.teacher.blocks[kept].intermediate, self.extraction.neurons[index]
        wanted = F.linear(self._teacher_stream(2 * kept + 1), source.weight[neurons], source.bias[neurons])
        _fit_linear(block.intermediate, states.flatten(0, 1), wanted, self.ridge)
        following = (*self.extraction.layers, len(self.teacher.blocks))[index + 1]
        return self._into_stream(block.output, block.output_norm, block.activate(states), states, 2 * following)

    def head(self, states: torch.Tensor) -> None:
        """The head's function works on single channels, so its input is fitted in the student's own."""
        student, teacher = self.student.head, self.teacher.head
        masked = at_positions(states, self.calibration.positions).flatten(0, 1)
        expected = self._teacher_stream(2 * len(self.teacher.blocks)).unflatten(0, states.shape[:2])
        expected = at_positions(expected, self.calibration.positions).flatten(0, 1)
        basis = self.extraction.basis
        _fit_linear(student.dense, masked, teacher.dense(expected) @ basis, self.ridge)
        sums = student.activation(student.dense(masked))
        _fit_norm(student.norm, sums, self.calibration.head_states @ basis)

    def _into_stream(
        self, output: nn.Linear, norm: nn.LayerNorm, values: torch.Tensor, residual: torch.Tensor, place: int
    ) -> torch.Tensor:
        """Fit a projection, and the LayerNorm behind it, to the teacher's stream at `place`."""
        flat, skipped = values.flatten(0, 1), residual.flatten(0, 1)
        _fit_linear(output, flat, self.calibration.before_norm(place) @ self.extraction.basis - skipped, self.ridge)
        sums = output(flat) + skipped
        _fit_norm(norm, sums, self._stream(place))
        normed: torch.Tensor = norm(sums)
        return normed.view_as(residual)

    def _stream(self, place: int) -> torch.Tensor:
        return self._teacher_stream(place) @ self.extraction.basis

    def _teacher_stream(self, place: int) -> torch.Tensor:
        return self.calibration.after_norm(place, _norm_at(self.teacher, place))


def _norm_at(parts: Parts, place: int) -> nn.LayerNorm:
    if place == 0:
        return parts.embeddings.norm
    block = parts.blocks[(place - 1) // 2]
    return block.attention_norm if place % 2 else block.output_norm


def _fit_linear(linear: nn.Linear, inputs: torch.Tensor, targets: torch.Tensor, ridge: float) -> None:
    """Ridge regression around the weights as they are; the bias is free.

    Args:
        linear: Refitted in place.
        inputs: (S, m).
        targets: (S, n).
        ridge: As a share of the inputs' mean variance.
    """
    errors = targets - linear(inputs)
    if errors.square().mean() <= _NOISE * targets.square().mean():
        return
    mean, mean_error = inputs.mean(dim=0), errors.mean(dim=0)
    centred = inputs - mean
    covariance = centred.T @ centred / len(inputs)
    covariance.diagonal().add_(ridge * covariance.diagonal().mean() + torch.finfo(covariance.dtype).tiny)
    change = torch.cholesky_solve(centred.T @ (errors - mean_error) / len(inputs), torch.linalg.cholesky(covariance)).T
    linear.weight.add_(change)
    linear.bias.add_(mean_error - change @ mean)


def _fit_norm(norm: nn.LayerNorm, sums: torch.Tensor, targets: torch.Tensor) -> None:
    """Each channel's weight and bias by regression on what comes out of the normalisation."""
    normalized = F.layer_norm(sums, norm.normalized_shape, eps=norm.eps)
    errors = targets - (normalized * norm.weight + norm.bias)
    mean, mean_error = normalized.mean(dim=0), errors.mean(dim=0)
    centred = normalized - mean
    change = (centred * (errors - mean_error)).mean(dim=0) / centred.square().mean(dim=0).clamp(min=_MIN_VARIANCE)
    norm.weight.add_(change)
    norm.bias.add_(mean_error - change * mean)
