"""Tests ose/extraction/choose.py."""

import copy

import pytest
import torch
from builders import architecture
from models import masked_lm
from searches import LEADING
from torch import nn
from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.errors import InvalidInputError
from ose.extraction.choose import choose_extraction
from ose.extraction.copy import inherit
from ose.extraction.heads import leading_maps
from ose.families.bert.model import architecture_of, build_student

TEACHER = architecture(4, 4, 32, 48)
INPUT_IDS = torch.randint(5, 40, (3, 14), generator=torch.Generator().manual_seed(0))
FAMILIES = pytest.mark.parametrize("family", ["roberta", "bert"])


def build(family: str, shape: Architecture) -> PreTrainedModel:
    return masked_lm(
        family,
        num_hidden_layers=shape.num_hidden_layers,
        num_attention_heads=shape.num_attention_heads,
        hidden_size=shape.hidden_size,
        intermediate_size=shape.intermediate_size,
    )


def heir(teacher: PreTrainedModel, shape: Architecture) -> PreTrainedModel:
    student = build_student(teacher.config, shape, "fill_mask", seed=5)
    inherit(teacher, student, choose_extraction(teacher, shape, LEADING, None, "fill_mask"), "fill_mask")
    return student


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=INPUT_IDS).logits


def layers_of(model: PreTrainedModel) -> nn.ModuleList:
    layers = model.base_model.encoder.layer
    assert isinstance(layers, nn.ModuleList)
    return layers


@FAMILIES
def test_with_the_teachers_own_shape_the_student_is_the_teacher(family: str) -> None:
    teacher = build(family, TEACHER)
    student = heir(teacher, TEACHER)
    torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-5)
    weights = dict(student.named_parameters())
    assert all(torch.equal(weights[name], weight) for name, weight in teacher.named_parameters())


@FAMILIES
def test_a_shallower_student_is_the_teacher_without_the_other_layers(family: str) -> None:
    teacher = build(family, TEACHER)
    pruned = copy.deepcopy(teacher)
    pruned.base_model.encoder.layer = nn.ModuleList(layers_of(teacher)[index] for index in (0, 2, 3))
    pruned.config.num_hidden_layers = 3
    student = heir(teacher, architecture(3, 4, 32, 48))
    torch.testing.assert_close(logits(student), logits(pruned), rtol=0, atol=1e-5)
    assert (logits(student) - logits(teacher)).abs().max() > 1e-2


@FAMILIES
def test_dropping_neurons_that_nobody_reads_changes_nothing(family: str) -> None:
    teacher = build(family, TEACHER)
    with torch.no_grad():
        for layer in layers_of(teacher):
            layer.output.dense.weight[:, 20:] = 0
    student = heir(teacher, architecture(4, 4, 32, 20))
    torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-5)


@FAMILIES
def test_a_teacher_that_hides_a_smaller_model_gives_it_back(family: str) -> None:
    hidden_model = build(family, architecture(4, 2, 16, 20))
    teacher = widened(hidden_model, build(family, TEACHER))
    torch.testing.assert_close(logits(teacher), logits(hidden_model), rtol=0, atol=1e-4)
    student = heir(teacher, architecture_of(hidden_model))
    torch.testing.assert_close(logits(student), logits(hidden_model), rtol=0, atol=1e-5)


def widened(small: PreTrainedModel, wide: PreTrainedModel) -> PreTrainedModel:
    """`wide`, twice as wide and made to compute what `small` does.

    Each channel of the residual stream is there twice, so that the norms' statistics stay; only the first
    of the two is read. The other heads and neurons keep their random weights, but nobody reads them.
    """
    source = dict(small.named_parameters())
    with torch.no_grad():
        for name, parameter in wide.named_parameters():
            weight = source[name]
            if name.endswith(("lm_head.layer_norm.weight", "transform.LayerNorm.weight")):
                parameter.copy_(torch.cat([weight, torch.zeros(16)]))  # the tied decoder would count all twice
            elif name.endswith(("lm_head.layer_norm.bias", "transform.LayerNorm.bias")):
                parameter.copy_(torch.cat([weight, torch.zeros(16)]))
            elif name.endswith(("lm_head.bias", "predictions.bias", "decoder.bias")):
                parameter.copy_(weight)
            elif "embeddings" in name and parameter.ndim == 2:
                parameter.copy_(torch.cat([weight, weight], dim=1))
            elif any(part in name for part in (".query.", ".key.", ".value.", ".intermediate.dense.")):
                parameter[: len(weight)] = read_once(weight, 16)
            elif parameter.ndim == 2:
                parameter.copy_(torch.cat([read_once(weight, parameter.shape[1] - weight.shape[1])] * 2))
            else:
                parameter.copy_(torch.cat([weight, weight]))
    return wide


def read_once(weight: torch.Tensor, num_unread: int) -> torch.Tensor:
    if weight.ndim == 1:
        return weight
    return torch.cat([weight, torch.zeros(len(weight), num_unread)], dim=1)


@FAMILIES
@pytest.mark.parametrize("heads", [1, 2, 4, 8])
def test_every_way_to_cut_heads_gives_a_working_student(family: str, heads: int) -> None:
    teacher = build(family, TEACHER)
    student = heir(teacher, architecture(2, heads, 24, 10))
    assert logits(student).isfinite().all()
    kept = dict(teacher.named_parameters())
    rows = leading_maps(TEACHER, architecture(2, heads, 24, 10)).value.argmax(dim=0)
    last, teachers_last = layers_of(student)[1].attention, layers_of(teacher)[3].attention
    assert torch.equal(last.self.value.weight, teachers_last.self.value.weight[rows][:, :24])
    assert torch.equal(last.output.dense.weight, teachers_last.output.dense.weight[:24][:, rows])
    for name, parameter in student.named_parameters():  # nothing is left at its random start
        assert parameter.flatten()[0] in kept[name.replace(".layer.1.", ".layer.3.")], name


@FAMILIES
def test_every_weight_is_written(family: str) -> None:
    teacher, shape = build(family, TEACHER), architecture(2, 2, 24, 10)
    student = build_student(teacher.config, shape, "fill_mask", seed=5)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.fill_(torch.nan)
    inherit(teacher, student, choose_extraction(teacher, shape, LEADING, None, "fill_mask"), "fill_mask")
    assert all(parameter.isfinite().all() for parameter in student.parameters())


@FAMILIES
def test_picking_channels_gives_what_multiplying_gives(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher, shape = build(family, TEACHER), architecture(3, 2, 24, 10)
    picked = heir(teacher, shape)
    monkeypatch.setattr("ose.extraction.copy._picked", lambda matrix: matrix)
    multiplied = heir(teacher, shape)
    assert all(torch.equal(a, b) for a, b in zip(picked.parameters(), multiplied.parameters(), strict=True))


def test_inheriting_leaves_the_teacher_as_it_was() -> None:
    teacher = build("roberta", TEACHER)
    before = copy.deepcopy(teacher.state_dict())
    student = heir(teacher, TEACHER)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.zero_()
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())


@pytest.mark.parametrize(
    ("larger", "axis"),
    [
        (architecture(5, 4, 32, 48), "num_hidden_layers"),
        (architecture(4, 4, 36, 48), "hidden_size"),
        (architecture(4, 4, 32, 49), "intermediate_size"),
    ],
)
def test_a_larger_student_is_refused(larger: Architecture, axis: str) -> None:
    with pytest.raises(InvalidInputError, match=f"its {axis} is larger; use initialization: random"):
        choose_extraction(build("roberta", TEACHER), larger, LEADING, None, "fill_mask")
