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
from ose.families.parts import Parts, attention_bias, captured_input
from ose.training.positions import at_positions, at_tokens, put_tokens

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
    """The walk through a student; states are (N, T, H), everything fitted is of the S real tokens, (S, ...)."""

    teacher: Parts
    student: Parts
    extraction: Extraction
    calibration: Calibration
    ridge: float

    def embeddings(self) -> torch.Tensor:
        norm = self.student.embeddings.norm
        with captured_input(norm) as sums:
            self.student.embeddings.run(**self.calibration.inputs())
        _fit_norm(norm, self._tokens(sums[0]), self._stream(0))
        normed: torch.Tensor = norm(sums[0])
        return normed

    def attention(self, index: int, states: torch.Tensor) -> torch.Tensor:
        kept, block = self.extraction.layers[index], self.student.blocks[index]
        source, heads = self.teacher.blocks[kept], self.extraction.heads[index]
        expected = self._teacher_stream(2 * kept)
        flat = self._tokens(states)
        for name in ("query", "key", "value"):
            _fit_linear(getattr(block, name), flat, getattr(source, name)(expected) @ getattr(heads, name), self.ridge)
        context = block.attend(states, attention_bias(self.calibration.inputs()))
        return self._into_stream(block.attention_output, block.attention_norm, context, states, 2 * kept + 1)

    def feed_forward(self, index: int, states: torch.Tensor) -> torch.Tensor:
        kept, block = self.extraction.layers[index], self.student.blocks[index]
        source, neurons = self.teacher.blocks[kept].intermediate, self.extraction.neurons[index]
        wanted = F.linear(self._teacher_stream(2 * kept + 1), source.weight[neurons], source.bias[neurons])
        _fit_linear(block.intermediate, self._tokens(states), wanted, self.ridge)
        following = (*self.extraction.layers, len(self.teacher.blocks))[index + 1]
        return self._into_stream(block.output, block.output_norm, block.activate(states), states, 2 * following)

    def head(self, states: torch.Tensor) -> None:
        """The head's function works on single channels, so its input is fitted in the student's own."""
        student, teacher = self.student.head, self.teacher.head
        read = at_positions(states, self.calibration.positions).flatten(0, 1)
        expected = self._teacher_stream(2 * len(self.teacher.blocks))
        width = expected.shape[-1]
        whole = put_tokens(expected, expected.new_zeros(*states.shape[:2], width), self.calibration.attention_mask)
        expected = at_positions(whole, self.calibration.positions).flatten(0, 1)
        change = self.extraction.head_change
        _fit_linear(student.dense, read, teacher.dense(expected) @ change, self.ridge)
        if student.norm is None:
            outputs = teacher.output(self.calibration.head_states)
            _fit_linear(student.output, student.inner(read), outputs, self.ridge)
        else:
            sums = student.activation(student.dense(read))
            _fit_norm(student.norm, sums, self.calibration.head_states @ change)

    def _into_stream(
        self, output: nn.Linear, norm: nn.LayerNorm, values: torch.Tensor, residual: torch.Tensor, place: int
    ) -> torch.Tensor:
        """Fit a projection, and the LayerNorm behind it, to the teacher's stream at `place`."""
        flat, skipped = self._tokens(values), self._tokens(residual)
        _fit_linear(output, flat, self.calibration.before_norm(place) @ self.extraction.basis - skipped, self.ridge)
        sums = output(flat) + skipped
        _fit_norm(norm, sums, self._stream(place))
        return put_tokens(norm(sums), residual, self.calibration.attention_mask)

    def _tokens(self, states: torch.Tensor) -> torch.Tensor:
        return at_tokens(states, self.calibration.attention_mask)

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
