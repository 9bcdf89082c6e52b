import pytest
import torch
from models import masked_lm, shake
from transformers import PreTrainedModel

from ose.extraction.calibration import Calibration, measure_calibration
from ose.extraction.eliminate import elimination_ranks
from ose.tasks.fill_mask.masking import MaskedBatch
from ose.tasks.registry import load_task

FILL_MASK = load_task("fill_mask")

IDLE = 2
"""The layer of the teacher that hands on what it is given."""


@pytest.fixture(scope="module")
def teacher() -> PreTrainedModel:
    model = shake(masked_lm("roberta", num_hidden_layers=4), by=0.2)
    layers = model.base_model.encoder.layer
    idle = layers[IDLE]
    with torch.no_grad():
        for dense in (idle.attention.output.dense, idle.output.dense):
            dense.weight.zero_()
            dense.bias.zero_()
        for norm in (layers[IDLE - 1].output.LayerNorm, idle.attention.output.LayerNorm, idle.output.LayerNorm):
            norm.weight.fill_(1)
            norm.bias.zero_()
    return model


def calibration_of(model: PreTrainedModel, count: int = 24) -> Calibration:
    generator = torch.Generator().manual_seed(0)
    input_ids = torch.randint(5, 40, (count, 14), generator=generator)
    positions = torch.rand(count, 14, generator=generator).topk(3).indices.sort().values
    return measure_calibration(model, MaskedBatch(input_ids, positions, input_ids.gather(1, positions)), "fill_mask")


def test_a_layer_that_does_nothing_goes_first(teacher: PreTrainedModel) -> None:
    ranks = elimination_ranks(FILL_MASK, teacher, calibration_of(teacher))
    assert ranks[IDLE] == 0
    assert sorted(ranks.tolist()) == [0, 1, 2, 3]


def test_it_is_a_function_of_the_teacher_and_leaves_it_as_it_was(teacher: PreTrainedModel) -> None:
    before = {name: weight.clone() for name, weight in teacher.named_parameters()}
    calibration = calibration_of(teacher)
    assert torch.equal(
        elimination_ranks(FILL_MASK, teacher, calibration), elimination_ranks(FILL_MASK, teacher, calibration)
    )
    assert all(torch.equal(weight, before[name]) for name, weight in teacher.named_parameters())


@pytest.mark.parametrize(("layers", "count"), [(1, 8), (3, 1)], ids=["one layer", "one sequence"])
def test_there_may_be_little_of_all(layers: int, count: int) -> None:
    model = masked_lm("bert", num_hidden_layers=layers)
    assert sorted(elimination_ranks(FILL_MASK, model, calibration_of(model, count)).tolist()) == list(range(layers))
