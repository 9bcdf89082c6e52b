import copy
import itertools

import pytest
import torch
from builders import architecture
from models import masked_lm
from transformers import PreTrainedModel

from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec
from ose.extraction.calibration import Calibration, measure_calibration
from ose.extraction.choose import choose_extraction
from ose.extraction.copy import inherit
from ose.extraction.refit import fit_to_teacher
from ose.families.bert.model import build_student
from ose.tasks.fill_mask.masking import MaskedBatch

TEACHER = architecture(4, 4, 32, 48)
FAMILIES = pytest.mark.parametrize("family", ["roberta", "bert"])
HEADS, NEURONS, HIDDEN = ("norm", "gradient", "fluctuation"), ("activation", "taylor", "fluctuation"), ("activation",)


def draw(seed: int, num_sequences: int) -> MaskedBatch:
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(5, 40, (num_sequences, 14), generator=generator)
    positions = torch.rand(num_sequences, 14, generator=generator).topk(3).indices.sort().values
    return MaskedBatch(input_ids, positions, torch.randint(5, 40, (num_sequences, 3), generator=generator))


SAMPLE, UNSEEN = draw(0, 64), draw(1, 64)


def build(family: str) -> PreTrainedModel:
    shape = {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 48}
    return masked_lm(family, **shape).requires_grad_(False)


def heir(
    teacher: PreTrainedModel, shape: Architecture, spec: InheritanceSpec, calibration: Calibration
) -> PreTrainedModel:
    student = build_student(teacher.config, shape, "fill_mask", seed=5)
    extraction = choose_extraction(teacher, shape, spec, calibration, "fill_mask")
    inherit(teacher, student, extraction, "fill_mask")
    if spec.correction == "least_squares":
        fit_to_teacher(teacher, student, extraction, calibration, spec.ridge, "fill_mask")
    return student


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=UNSEEN.input_ids).logits


def error(student: PreTrainedModel, teacher: PreTrainedModel) -> float:
    return (logits(student) - logits(teacher)).square().mean().item()


@pytest.mark.slow
@FAMILIES
def test_with_the_teachers_own_shape_every_rule_gives_the_teacher(family: str) -> None:
    teacher = build(family)
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    layers = ("distilbert", "even", "alternate", "bottom", "top", "influence", "ablation", "elimination", (0, 1, 2, 3))
    rules = itertools.zip_longest(layers, HEADS, NEURONS, ("leading", "activation", "rotation"), fillvalue="leading")
    for choice, heads, neurons, hidden in rules:
        for correction in ("none", "least_squares"):
            spec = InheritanceSpec(layers=choice, heads=heads, neurons=neurons, hidden=hidden, correction=correction)
            student = heir(teacher, TEACHER, spec, calibration)
            torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-5)


@pytest.mark.slow
@FAMILIES
@pytest.mark.parametrize("correction", ["none", "least_squares"])
def test_dropping_what_the_teacher_does_not_use_changes_nothing(family: str, correction: str) -> None:
    teacher = build(family)
    unused_heads, unused_neurons = (0, 2, 1, 3), torch.arange(0, 48, 3)
    for layer, head in zip(teacher.base_model.encoder.layer, unused_heads, strict=True):
        layer.attention.output.dense.weight[:, head * 8 : head * 8 + 8] = 0
        layer.output.dense.weight[:, unused_neurons] = 0
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    smaller_ffn = architecture(4, 4, 32, 32)
    for neurons, heads in itertools.product(NEURONS, HEADS):
        spec = InheritanceSpec(
            layers="distilbert", heads=heads, neurons=neurons, hidden="leading", correction=correction
        )
        student = heir(teacher, smaller_ffn, spec, calibration)
        torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-5)


@FAMILIES
def test_a_head_that_the_teacher_does_not_use_is_the_one_left_out(family: str) -> None:
    """With the width kept, three heads of four are a shape that no model has; so the rows are compared."""
    teacher = build(family)
    for layer in teacher.base_model.encoder.layer:
        layer.attention.output.dense.weight[:, 8:16] = 0
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    for heads in HEADS:
        spec = InheritanceSpec(layers="distilbert", heads=heads, neurons="leading", hidden="leading", correction="none")
        extraction = choose_extraction(teacher, architecture(4, 3, 24, 48), spec, calibration, "fill_mask")
        for maps in extraction.heads:
            assert maps.value.argmax(dim=0).tolist() == [*range(8), *range(16, 32)]


@FAMILIES
@pytest.mark.parametrize(
    "shape",
    [
        architecture(2, 4, 32, 48),
        architecture(4, 4, 32, 16),
        architecture(4, 4, 16, 48),
        architecture(4, 2, 32, 48),
        architecture(3, 2, 16, 24),
        architecture(2, 8, 24, 24),
    ],
    ids=str,
)
def test_the_fit_comes_closer_to_the_teacher_on_text_it_has_not_seen(family: str, shape: Architecture) -> None:
    teacher = build(family)
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    fitted = heir(teacher, shape, InheritanceSpec(layers="distilbert"), calibration)
    copied = heir(teacher, shape, InheritanceSpec(layers="distilbert", correction="none"), calibration)
    assert error(fitted, teacher) < error(copied, teacher)


def test_a_constant_that_is_dropped_goes_into_the_bias() -> None:
    teacher = build("roberta")
    for layer in teacher.base_model.encoder.layer:
        layer.intermediate.dense.weight[:12] = 0
        layer.intermediate.dense.bias[:12] = 2.0
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    student = heir(teacher, architecture(4, 4, 32, 36), InheritanceSpec(layers="distilbert"), calibration)
    torch.testing.assert_close(logits(student), logits(teacher), rtol=0, atol=1e-4)


def test_the_stronger_the_ridge_the_closer_to_the_copy() -> None:
    teacher = build("roberta")
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    shape = architecture(2, 4, 16, 24)
    copied = heir(teacher, shape, InheritanceSpec(layers="distilbert", correction="none"), calibration)
    distances = []
    for ridge in (0.01, 1.0, 100.0):
        fitted = heir(teacher, shape, InheritanceSpec(layers="distilbert", ridge=ridge), calibration)
        pairs = zip(fitted.parameters(), copied.parameters(), strict=True)
        distances.append(sum((a - b).square().sum().item() for a, b in pairs if a.ndim == 2))
    assert distances[0] > distances[1] > distances[2]


def test_the_teacher_and_its_calibration_stay_as_they_were() -> None:
    teacher = build("roberta")
    calibration = measure_calibration(teacher, SAMPLE, "fill_mask")
    before, states = copy.deepcopy(teacher.state_dict()), calibration.normalized.clone()
    heir(teacher, architecture(2, 2, 16, 24), InheritanceSpec(layers="distilbert"), calibration)
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.state_dict().items())
    assert torch.equal(calibration.normalized, states)
