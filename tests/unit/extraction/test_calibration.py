"""Tests ose/extraction/importance.py."""

import copy
from pathlib import Path

import pytest
import torch
from models import masked_lm
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from ose.extraction.calibration import Calibration, load_calibration, measure_calibration, save_calibration
from ose.extraction.importance import principal_components
from ose.families.models import parts_of
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.masking import MaskedBatch

SHAPE = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 24}
FAMILIES = pytest.mark.parametrize("family", ["roberta", "bert"])


def draw_sample(num_sequences: int = 20) -> MaskedBatch:
    generator = torch.Generator().manual_seed(3)
    input_ids = torch.randint(5, 40, (num_sequences, 14), generator=generator)
    positions = torch.rand(num_sequences, 14, generator=generator).topk(3).indices.sort().values
    labels = torch.randint(5, 40, (num_sequences, 3), generator=generator)
    return MaskedBatch(input_ids, positions, labels)


SAMPLE = draw_sample()


def teacher_of(family: str) -> PreTrainedModel:
    return masked_lm(family, **SHAPE).requires_grad_(False)


@FAMILIES
def test_states_are_the_models_own(family: str) -> None:
    teacher = teacher_of(family)
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    with torch.no_grad():
        expected = teacher(input_ids=SAMPLE.input_ids, output_hidden_states=True)
    parts = parts_of(teacher, "fill_mask")
    norms = [parts.embeddings.norm, *(block.output_norm for block in parts.blocks)]
    for place, norm, states in zip((0, 2, 4, 6), norms, expected.hidden_states, strict=True):
        torch.testing.assert_close(calibration.after_norm(place, norm), states.flatten(0, 1), rtol=0, atol=1e-5)
        restored = F.layer_norm(calibration.before_norm(place), (32,), norm.weight, norm.bias, norm.eps)
        torch.testing.assert_close(restored, states.flatten(0, 1), rtol=0, atol=1e-5)
    vocabulary = teacher.get_output_embeddings().weight
    logits = calibration.head_states @ vocabulary.T + parts.head.output.bias
    wanted = logits_at(teacher, SAMPLE.input_ids, SAMPLE.positions).flatten(0, 1)
    torch.testing.assert_close(logits, wanted, rtol=0, atol=1e-4)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    calibration = measure_calibration(teacher_of("roberta"), SAMPLE, "fill_mask")
    save_calibration(tmp_path / "calibration.safetensors", calibration)
    read = load_calibration(tmp_path / "calibration.safetensors")
    assert torch.equal(read.normalized, calibration.normalized)
    assert torch.equal(read.head_states, calibration.head_states)
    assert {name: score.tolist() for name, score in read.importance.items()} == {
        name: score.tolist() for name, score in calibration.importance.items()
    }


@FAMILIES
def test_parts_that_nobody_reads_score_nothing(family: str) -> None:
    teacher = teacher_of(family)
    for layer in teacher.base_model.encoder.layer:
        layer.output.dense.weight[:, 7] = 0
        layer.attention.output.dense.weight[:, 8:16] = 0
    importance = measure_calibration(teacher, SAMPLE, "fill_mask").importance
    for rule in ("norm", "gradient", "fluctuation"):
        scores = importance[f"heads.{rule}"]
        assert scores.shape == (3, 4)
        assert scores[:, 1].abs().max() < 1e-9 < scores[:, [0, 2, 3]].min()
    for rule in ("activation", "taylor", "fluctuation"):
        scores = importance[f"neurons.{rule}"]
        assert scores.shape == (3, 24)
        assert scores[:, 7].abs().max() < 1e-9 < scores[:, 8:].min()


def test_a_constant_neuron_does_not_fluctuate() -> None:
    teacher = teacher_of("roberta")
    layer = teacher.base_model.encoder.layer[1]
    layer.intermediate.dense.weight[5] = 0
    layer.intermediate.dense.bias[5] = 2.0
    importance = measure_calibration(teacher, SAMPLE, "fill_mask").importance
    assert importance["neurons.fluctuation"][1, 5] < 1e-9 < importance["neurons.activation"][1, 5]


def test_a_layer_that_does_nothing_matters_least() -> None:
    teacher = teacher_of("roberta")
    layer = teacher.base_model.encoder.layer[1]
    for part in (layer.attention.output, layer.output):
        part.dense.weight.zero_()
        part.dense.bias.zero_()
        part.LayerNorm.weight.fill_(1.0)
        part.LayerNorm.bias.zero_()
    before = teacher.base_model.encoder.layer[0].output.LayerNorm
    before.weight.fill_(1.0)
    before.bias.zero_()
    importance = measure_calibration(teacher, SAMPLE, "fill_mask").importance
    for rule in ("influence", "ablation"):
        scores = importance[f"layers.{rule}"].tolist()
        assert abs(scores[1]) < 1e-5 < abs(scores[0])
        assert abs(scores[2]) > 1e-5


def test_ablation_is_the_loss_without_the_layer() -> None:
    teacher = teacher_of("roberta")
    few = MaskedBatch(SAMPLE.input_ids[:5], SAMPLE.positions[:5], SAMPLE.labels[:5])

    def loss(model: PreTrainedModel) -> float:
        with torch.no_grad():
            logits = logits_at(model, few.input_ids, few.positions)
        return F.cross_entropy(logits.flatten(0, 1), few.labels.flatten()).item()

    without = copy.deepcopy(teacher)
    without.base_model.encoder.layer = nn.ModuleList(list(without.base_model.encoder.layer)[::2])
    measured = measure_calibration(teacher, SAMPLE, "fill_mask").importance["layers.ablation"][1].item()
    assert measured == pytest.approx(loss(without) - loss(teacher), abs=1e-5)


def test_gradient_of_a_head_is_the_slope_of_the_loss_by_its_mask() -> None:
    teacher = teacher_of("roberta")
    one = MaskedBatch(SAMPLE.input_ids[:1], SAMPLE.positions[:1], SAMPLE.labels[:1])
    measured = measure_calibration(teacher, one, "fill_mask").importance["heads.gradient"][2, 3].item()

    def loss(mask: float) -> float:
        changed = copy.deepcopy(teacher)
        changed.base_model.encoder.layer[2].attention.output.dense.weight[:, 24:] *= mask
        with torch.no_grad():
            logits = logits_at(changed, one.input_ids, one.positions)
        return F.cross_entropy(logits.flatten(0, 1).double(), one.labels.flatten()).item()

    assert measured == pytest.approx(abs(loss(1.01) - loss(0.99)) / 0.02, rel=1e-2)


def test_principal_components_are_orthonormal_and_find_the_subspace() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(16, 16, generator=generator)).Q[:, :4]
    states = [scale * torch.randn(300, 4, generator=generator) @ directions.T + 5 for scale in (1.0, 100.0)]
    basis = principal_components(states)
    torch.testing.assert_close(basis.T @ basis, torch.eye(16), rtol=0, atol=1e-5)
    inside = directions.T @ basis[:, :4]
    torch.testing.assert_close(inside @ inside.T, torch.eye(4), rtol=0, atol=1e-4)


def test_measuring_leaves_the_teacher_as_it_was() -> None:
    teacher = teacher_of("roberta")
    before = copy.deepcopy(teacher.state_dict())
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    assert isinstance(calibration, Calibration)
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert all(parameter.grad is None for parameter in teacher.parameters())
