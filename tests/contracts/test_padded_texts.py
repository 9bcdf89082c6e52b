"""What is measured of a teacher and copied from it where texts have several lengths: padding never counts.

Tests ose/training/positions.py, ose/extraction/calibration.py, ose/extraction/refit.py and
ose/extraction/importance.py too.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import architecture
from classifiers import classifier, items, sample
from torch import nn
from transformers import PreTrainedModel

from ose.core.inheritance import InheritanceSpec
from ose.extraction.calibration import Calibration, load_calibration, measure_calibration, save_calibration
from ose.extraction.initial import Start, initial_student
from ose.families.models import architecture_of, parts_of
from ose.tasks.text_classification.items import TextItems
from ose.training.positions import at_tokens, put_tokens

HEAD = "text_classification"


@pytest.fixture(params=["bert", "roberta"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def teacher(name: str) -> PreTrainedModel:
    return classifier(name, num_hidden_layers=3, hidden_size=32, num_attention_heads=4).requires_grad_(False)


def measured(teacher: PreTrainedModel, texts: TextItems) -> Calibration:
    return measure_calibration(teacher, sample(teacher, texts), HEAD)


def logits(model: nn.Module, texts: TextItems) -> torch.Tensor:
    with torch.no_grad():
        return model(**texts.inputs()).logits


def started(teacher: PreTrainedModel, spec: InheritanceSpec, calibration: Calibration, *sizes: int) -> PreTrainedModel:
    start = Start(initialization="inherit", inheritance=spec, seed=0, calibration=calibration, task=HEAD)
    shape = architecture(*sizes) if sizes else architecture_of(teacher)
    return initial_student(teacher, shape, start)


def test_tokens_are_picked_and_put_back() -> None:
    states, mask = torch.randn(3, 4, 2), torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    tokens = at_tokens(states, mask)
    assert tokens.shape == (7, 2)
    whole = put_tokens(2 * tokens, states, mask)
    assert torch.equal(at_tokens(whole, mask), 2 * tokens)
    assert torch.equal(whole[0, 2:], states[0, 2:])
    assert torch.equal(put_tokens(at_tokens(states, None), states, None), states)


def test_more_padding_changes_nothing_that_is_measured(name: str, teacher: PreTrainedModel) -> None:
    texts = items(name, 40)
    narrow, wide = measured(teacher, texts), measured(teacher, _Untrimmed.of(items(name, 40, 19)))
    assert narrow.normalized.shape == wide.normalized.shape == (7, int(texts.lengths.sum()), 32)
    for score, value in narrow.importance.items():
        if score == "hidden.components":  # its columns may point either way
            value, other = value @ value.T, wide.importance[score] @ wide.importance[score].T
        else:
            other = wide.importance[score]
        torch.testing.assert_close(other, value, rtol=1e-3, atol=1e-5, msg=score)


class _Untrimmed(TextItems):
    """Texts that are shown as wide as they are stored."""

    @classmethod
    def of(cls, texts: TextItems) -> TextItems:
        return cls(input_ids=texts.input_ids, lengths=texts.lengths)

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        mask = (torch.arange(self.input_ids.shape[1]) < self.lengths[rows][:, None]).long()
        return {"input_ids": self.input_ids[rows], "attention_mask": mask}


@pytest.mark.parametrize("correction", ["none", "least_squares"])
def test_with_the_teachers_own_shape_the_student_is_the_teacher(
    name: str, teacher: PreTrainedModel, correction: str
) -> None:
    texts = items(name, 60)
    student = started(teacher, InheritanceSpec(correction=correction, layers="distilbert"), measured(teacher, texts))
    torch.testing.assert_close(logits(student, texts), logits(teacher, texts), rtol=0, atol=1e-5)


def test_a_narrower_student_starts_near_to_the_teacher(name: str, teacher: PreTrainedModel) -> None:
    """Nearer than one whose matrices are not refitted, and than saying the mean of all."""
    texts, calibration = items(name, 400), measured(teacher, items(name, 400))
    expected = logits(teacher, texts)
    errors = {}
    for correction in ("least_squares", "none"):
        spec = InheritanceSpec(correction=correction, layers="distilbert")
        student = started(teacher, spec, calibration, 2, 4, 24, 16)
        errors[correction] = (logits(student, texts) - expected).square().mean()
    constant = (expected - expected.mean(dim=0)).square().mean()
    assert errors["least_squares"] < errors["none"] and errors["least_squares"] < constant


def test_a_heads_neurons_are_kept_by_what_they_move(name: str, teacher: PreTrainedModel) -> None:
    head = parts_of(teacher, HEAD).head
    head.output.weight[:, :16] = 0
    texts = items(name, 60)
    calibration = measured(teacher, texts)
    assert (calibration.importance["head.activation"][:16] == 0).all()
    student = started(teacher, InheritanceSpec(correction="none", layers="distilbert"), calibration, 3, 4, 16, 24)
    kept = parts_of(student, HEAD).head.output.weight
    assert torch.equal(kept, head.output.weight[:, 16:])


def test_a_part_of_the_sample_has_the_states_of_its_texts(name: str, teacher: PreTrainedModel) -> None:
    texts = items(name, 20)
    whole, part = measured(teacher, texts), measured(teacher, texts).sequences(5, 9)
    first, last = int(texts.lengths[:5].sum()), int(texts.lengths[:9].sum())
    assert torch.equal(part.normalized, whole.normalized[:, first:last])
    assert torch.equal(part.head_states, whole.head_states[5:9])
    assert torch.equal(part.inputs()["attention_mask"].sum(dim=1), texts.lengths[5:9])


def test_it_is_stored_with_its_mask(name: str, teacher: PreTrainedModel, tmp_path: Path) -> None:
    calibration = measured(teacher, items(name, 20))
    save_calibration(tmp_path / "file", calibration)
    loaded = load_calibration(tmp_path / "file")
    assert torch.equal(loaded.inputs()["attention_mask"], calibration.inputs()["attention_mask"])
    assert loaded.importance.keys() == calibration.importance.keys()
