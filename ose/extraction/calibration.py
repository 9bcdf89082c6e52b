"""What extraction knows of a teacher: its states on a sample of text, and how important each of its parts is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from ose.artifacts.intact import intact_file, require_intact
from ose.core.layer_choice import MEASURED_RULES
from ose.extraction.heads import head_statistics
from ose.extraction.importance import (
    gradient_scores,
    head_scores,
    layer_ablation,
    principal_components,
    state_scores,
)
from ose.families.models import parts_of
from ose.families.parts import Inputs, Parts, attention_bias, captured_input, run_block
from ose.tasks.base import Sample
from ose.training.positions import at_positions, at_tokens

_SCORE = "importance."
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_Place = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A teacher of L layers on a sample of S real tokens, of which a head reads M.

    The residual stream is kept at 2 L + 1 places: after the embeddings (0), and after each layer's attention
    (2 k + 1) and feed-forward block (2 k + 2), so that layer k's input is at place 2 k. It is stored before the
    LayerNorm's weights are applied, from which the stream on both sides of the LayerNorm can be had.

    Attributes:
        input_ids: (N, T), the sample; S = N T without padding.
        positions: (N, K), the places that the head reads; M = N K.
        normalized: (2 L + 1, S, H), with mean 0 and variance 1 over H.
        means, deviations: (2 L + 1, S, 1), what was taken away.
        head_states: (M, H), what the head's last matrix reads at those places.
        importance: Scores by name: `heads.RULE` (L, A), `neurons.RULE` (L, I), `layers.RULE` (L),
            `hidden.activation` (H); `head.activation` (H), of a head with neurons; for each layer
            `head_statistics`; and `hidden.components` (H, H), the stream's principal components as columns, the
            strongest first.
        attention_mask, token_type_ids: As in `ose.families.parts.Inputs`; None where the model needs none.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    normalized: torch.Tensor
    means: torch.Tensor
    deviations: torch.Tensor
    head_states: torch.Tensor
    importance: Mapping[str, torch.Tensor]
    attention_mask: torch.Tensor | None = None
    token_type_ids: torch.Tensor | None = None

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> Inputs:
        """What the model is called with for these sequences."""
        given = {name: getattr(self, name) for name in _INPUTS}
        return {name: each[rows] for name, each in given.items() if each is not None}

    def to(self, device: torch.device | str) -> Calibration:
        """The same with its states on `device`; the importance, which is small, stays where it is."""
        changes: dict[str, Any] = {name: tensor.to(device) for name, tensor in _tensors(self).items()}
        return replace(self, **changes)

    def sequences(self, first: int, last: int | None = None) -> Calibration:
        """The states of some of the sequences, half-open, without a copy; the importance stays that of all."""
        of = slice(first, len(self.input_ids) if last is None else last)
        read = slice(of.start * self.positions.shape[1], of.stop * self.positions.shape[1])
        tokens = slice(self._num_tokens(of.start), self._num_tokens(of.stop))
        inputs: dict[str, Any] = dict(self.inputs(of))
        return replace(
            self,
            **inputs,
            positions=self.positions[of],
            normalized=self.normalized[:, tokens],
            means=self.means[:, tokens],
            deviations=self.deviations[:, tokens],
            head_states=self.head_states[read],
        )

    def _num_tokens(self, sequences: int) -> int:
        """Real ones of the first so many sequences."""
        mask = self.attention_mask
        return sequences * self.input_ids.shape[1] if mask is None else int(mask[:sequences].sum())

    def layer_importance(self) -> dict[str, list[float]]:
        """One number a layer, for each of the `MEASURED_RULES` that has been measured."""
        names = {rule: f"layers.{rule}" for rule in MEASURED_RULES}
        return {rule: self.importance[name].tolist() for rule, name in names.items() if name in self.importance}

    def before_norm(self, place: int) -> torch.Tensor:
        """(S, H), the stream as the LayerNorm at `place` gets it."""
        return self.normalized[place] * self.deviations[place] + self.means[place]

    def after_norm(self, place: int, norm: nn.LayerNorm) -> torch.Tensor:
        """(S, H), the stream as `norm`, the teacher's LayerNorm at `place`, hands it on."""
        return self.normalized[place] * norm.weight + norm.bias


def measure_calibration(teacher: PreTrainedModel, sample: Sample, task: str) -> Calibration:
    """Run the teacher over a sample, and measure what a student may keep of it.

    Args:
        teacher: A frozen model of a family that OSE knows.
        sample: Its loss rates the teacher's parts.
        task: Whose head it has.
    """
    parts = parts_of(teacher, task)
    inputs = {name: each.to(teacher.device) for name, each in sample.inputs().items()}
    with torch.no_grad():
        streams, places, importance = _walk(parts, inputs)
        head_states = parts.head.inner(at_positions(streams[-1], sample.positions.to(teacher.device))).flatten(0, 1)
        tokens = [at_tokens(each, inputs.get("attention_mask")) for each in streams]
        importance["hidden.activation"] = torch.stack([each.abs().mean(dim=0) for each in tokens]).mean(dim=0)
        if parts.head.norm is None:
            importance["head.activation"] = head_scores(parts.head, head_states)
        else:
            tokens.append(head_states)
        importance["hidden.components"] = principal_components(tokens)
        importance["layers.ablation"] = layer_ablation(parts, sample, streams[::2])
    importance |= gradient_scores(parts, sample)
    normalized, means, deviations = (torch.stack(each) for each in zip(*places, strict=True))
    return Calibration(
        **sample.inputs(),
        positions=sample.positions,
        normalized=normalized.cpu(),
        means=means.cpu(),
        deviations=deviations.cpu(),
        head_states=head_states.cpu(),
        importance={name: score.float().cpu() for name, score in importance.items()},
    )


def save_calibration(file: Path, calibration: Calibration) -> None:
    """Write a calibration as safetensors.

    Raises:
        StorageError: The disk is full or not writable.
    """
    tensors = _tensors(calibration) | {_SCORE + name: score for name, score in calibration.importance.items()}
    with intact_file(file) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)


def load_calibration(file: Path) -> Calibration:
    """Read what `save_calibration` wrote. The states stay on disk until they are touched."""
    tensors = load_file(require_intact(file))
    scores = {name.removeprefix(_SCORE): tensors.pop(name) for name in list(tensors) if name.startswith(_SCORE)}
    return Calibration(**tensors, importance=scores)


def _tensors(calibration: Calibration) -> dict[str, torch.Tensor]:
    """All but the importance."""
    found = {each.name: getattr(calibration, each.name) for each in fields(Calibration) if each.name != "importance"}
    return {name: tensor for name, tensor in found.items() if tensor is not None}


def _walk(parts: Parts, inputs: Inputs) -> tuple[list[torch.Tensor], list[_Place], dict[str, torch.Tensor]]:
    """The stream at all places, the same without its LayerNorms, and what the states tell of each layer.

    Of a layer's inner states only the scores are kept: all of them, of all layers, would be gigabytes.
    """
    mask, bias = inputs.get("attention_mask"), attention_bias(inputs)
    with captured_input(parts.embeddings.norm) as sums:
        streams = [parts.embeddings.run(**inputs)]
    places = [_standardized(at_tokens(sums[0], mask), parts.embeddings.norm)]
    scores = []
    for block in parts.blocks:
        states = run_block(block, streams[-1], bias)
        scores.append(
            state_scores(block, states, streams[-1], mask)
            | head_statistics(block, streams[-1], states.context, mask, bias)
        )
        places.append(_standardized(at_tokens(states.attention_sum, mask), block.attention_norm))
        places.append(_standardized(at_tokens(states.output_sum, mask), block.output_norm))
        streams += [states.attention, states.output]
    return streams, places, {name: torch.stack([each[name] for each in scores]) for name in scores[0]}


def _standardized(sums: torch.Tensor, norm: nn.LayerNorm) -> _Place:
    """(S, H), (S, 1), (S, 1): what a LayerNorm does before its weights, and what that takes away."""
    variance, mean = torch.var_mean(sums, dim=-1, keepdim=True, correction=0)
    deviation = (variance + norm.eps).sqrt()
    return (sums - mean) / deviation, mean, deviation
