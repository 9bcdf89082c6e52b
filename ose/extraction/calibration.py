"""What extraction knows of a teacher: its states on a sample of text, and how important each of its parts is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import PreTrainedModel

from ose.artifacts.files import atomic_file
from ose.core.layer_choice import MEASURED_RULES
from ose.extraction.heads import head_statistics
from ose.extraction.importance import gradient_scores, layer_ablation, principal_components, state_scores
from ose.families.models import parts_of
from ose.families.parts import Parts, captured_input, run_block
from ose.tasks.base import Sample
from ose.training.positions import at_positions

_SCORE = "importance."
_Place = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A teacher of L layers on a sample of S tokens, of which M are masked.

    The residual stream is kept at 2 L + 1 places: after the embeddings (0), and after each layer's attention
    (2 k + 1) and feed-forward block (2 k + 2), so that layer k's input is at place 2 k. It is stored before the
    LayerNorm's weights are applied, from which the stream on both sides of the LayerNorm can be had.

    Attributes:
        input_ids: (N, T), the masked sample; S = N T.
        positions: (N, K), the masked places; M = N K.
        normalized: (2 L + 1, S, H), with mean 0 and variance 1 over H.
        means, deviations: (2 L + 1, S, 1), what was taken away.
        head_states: (M, H), after the vocabulary head's LayerNorm, at the masked places.
        importance: Scores by name: `heads.RULE` (L, A), `neurons.RULE` (L, I), `layers.RULE` (L),
            `hidden.activation` (H); for each layer `head_statistics`; and `hidden.components` (H, H), the
            stream's principal components as columns, the strongest first.
    """

    input_ids: torch.Tensor
    positions: torch.Tensor
    normalized: torch.Tensor
    means: torch.Tensor
    deviations: torch.Tensor
    head_states: torch.Tensor
    importance: Mapping[str, torch.Tensor]

    def to(self, device: torch.device | str) -> Calibration:
        """The same with its states on `device`; the importance, which is small, stays where it is."""
        names = (each.name for each in fields(self) if each.name != "importance")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def sequences(self, first: int, last: int | None = None) -> Calibration:
        """The states of some of the sequences, half-open, without a copy; the importance stays that of all."""
        of = slice(first, len(self.input_ids) if last is None else last)
        tokens, masked = (
            slice(of.start * each.shape[1], of.stop * each.shape[1]) for each in (self.input_ids, self.positions)
        )
        return replace(
            self,
            input_ids=self.input_ids[of],
            positions=self.positions[of],
            normalized=self.normalized[:, tokens],
            means=self.means[:, tokens],
            deviations=self.deviations[:, tokens],
            head_states=self.head_states[masked],
        )

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
    with torch.no_grad():
        streams, places, importance = _walk(parts, sample.input_ids.to(teacher.device))
        masked = at_positions(streams[-1], sample.positions.to(teacher.device))
        head_states = parts.head.norm(parts.head.activation(parts.head.dense(masked))).flatten(0, 1)
        importance["hidden.activation"] = torch.stack([each.abs().mean(dim=(0, 1)) for each in streams]).mean(dim=0)
        importance["hidden.components"] = principal_components([*(s.flatten(0, 1) for s in streams), head_states])
        importance["layers.ablation"] = layer_ablation(parts, sample, streams[::2])
    importance |= gradient_scores(parts, sample)
    normalized, means, deviations = (torch.stack(each) for each in zip(*places, strict=True))
    return Calibration(
        input_ids=sample.input_ids,
        positions=sample.positions,
        normalized=normalized.cpu(),
        means=means.cpu(),
        deviations=deviations.cpu(),
        head_states=head_states.cpu(),
        importance={name: score.float().cpu() for name, score in importance.items()},
    )


def save_calibration(file: Path, calibration: Calibration) -> None:
    """Write an calibration as safetensors.

    Raises:
        StorageError: The disk is full or not writable.
    """
    tensors = {each.name: getattr(calibration, each.name) for each in fields(Calibration) if each.name != "importance"}
    tensors |= {_SCORE + name: score for name, score in calibration.importance.items()}
    with atomic_file(file) as temporary:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)


def load_calibration(file: Path) -> Calibration:
    """Read what `save_calibration` wrote. The states stay on disk until they are touched."""
    tensors = load_file(file)
    scores = {name.removeprefix(_SCORE): tensors.pop(name) for name in list(tensors) if name.startswith(_SCORE)}
    return Calibration(**tensors, importance=scores)


def _walk(parts: Parts, input_ids: torch.Tensor) -> tuple[list[torch.Tensor], list[_Place], dict[str, torch.Tensor]]:
    """The stream at all places, the same without its LayerNorms, and what the states tell of each layer.

    Of a layer's inner states only the scores are kept: all of them, of all layers, would be gigabytes.
    """
    with captured_input(parts.embeddings.norm) as sums:
        streams = [parts.embeddings.run(input_ids=input_ids)]
    places = [_standardized(sums[0], parts.embeddings.norm)]
    scores = []
    for block in parts.blocks:
        states = run_block(block, streams[-1])
        scores.append(state_scores(block, states, streams[-1]) | head_statistics(block, streams[-1], states.context))
        places.append(_standardized(states.attention_sum, block.attention_norm))
        places.append(_standardized(states.output_sum, block.output_norm))
        streams += [states.attention, states.output]
    return streams, places, {name: torch.stack([each[name] for each in scores]) for name in scores[0]}


def _standardized(sums: torch.Tensor, norm: nn.LayerNorm) -> _Place:
    """(S, H), (S, 1), (S, 1): what a LayerNorm does before its weights, and what that takes away."""
    sums = sums.flatten(0, 1)
    variance, mean = torch.var_mean(sums, dim=-1, keepdim=True, correction=0)
    deviation = (variance + norm.eps).sqrt()
    return (sums - mean) / deviation, mean, deviation
