"""What full distillation learns from texts of several lengths: padding is in no loss and in no gradient.

Tests ose/distillation/module.py, ose/training/losses.py and ose/tasks/text_classification/output_losses.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace

import pytest
import torch
from classifiers import classifier, items
from transformers import PreTrainedModel

from ose.core.presets import preset_spec
from ose.core.recipe import OF_STATES, DistillationSpec, LossWeights
from ose.distillation.module import DistillationModule
from ose.tasks.registry import load_task
from ose.tasks.text_classification.items import TextItems

TASK = load_task("text_classification")
LOSSES = (*TASK.rules.output_losses, *OF_STATES)
OFF = dict.fromkeys((field.name for field in fields(LossWeights)), 0.0)
ROOM = {"max_position_embeddings": 140}


class _Untrimmed(TextItems):
    """Texts that are shown as wide as they are stored, as on a GPU."""

    def inputs(self, rows: torch.Tensor | slice = slice(None)) -> dict[str, torch.Tensor]:
        mask = (torch.arange(self.input_ids.shape[1]) < self.lengths[rows][:, None]).long()
        return {"input_ids": self.input_ids[rows], "attention_mask": mask}


@pytest.fixture(params=["bert", "roberta"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def teacher(name: str) -> PreTrainedModel:
    return classifier(name, hidden_size=32, num_attention_heads=4, **ROOM).requires_grad_(False)


def texts(name: str, width: int) -> TextItems:
    shown = items(name, 12, width)
    labels = torch.arange(12) % 3
    return _Untrimmed(input_ids=shown.input_ids, lengths=shown.lengths, labels=labels, are_changed=labels == 1)


def recipe(loss: str) -> DistillationSpec:
    return preset_spec("task", weights={**OFF, loss: 1.0}, precision="float32", temperature=2.0)


def learnt(
    name: str, teacher: PreTrainedModel, loss: str, batches: Iterable[tuple[TextItems, float]]
) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss of a step of a fresh student and its gradients."""
    torch.manual_seed(0)
    student = classifier(name, num_hidden_layers=1, by=0.2, **ROOM)
    module, total = DistillationModule(TASK, student, 32).eval(), 0.0
    for batch, share in batches:
        value = module(batch, teacher, recipe(loss))[0] * share
        value.backward()
        total += value.item()
    return total, {key: each.grad for key, each in module.named_parameters() if each.grad is not None}


def assert_same(first: tuple[float, dict[str, torch.Tensor]], other: tuple[float, dict[str, torch.Tensor]]) -> None:
    assert first[0] == pytest.approx(other[0], rel=1e-5) and first[0] > 0
    assert first[1].keys() == other[1].keys()
    assert sum(gradient.abs().sum() for gradient in first[1].values()) > 0
    for key, gradient in first[1].items():
        torch.testing.assert_close(other[1][key], gradient, rtol=1e-3, atol=1e-6, msg=key)


@pytest.mark.parametrize("loss", LOSSES)
def test_texts_padded_to_16_and_to_128_teach_the_same(name: str, teacher: PreTrainedModel, loss: str) -> None:
    narrow, wide = (learnt(name, teacher, loss, [(texts(name, width), 1.0)]) for width in (16, 128))
    assert_same(narrow, wide)


@pytest.mark.parametrize("loss", LOSSES)
def test_micro_batches_together_teach_what_one_batch_does(name: str, teacher: PreTrainedModel, loss: str) -> None:
    whole = texts(name, 16)
    parts = [(whole.take(part), len(part) / 12) for part in torch.arange(12).split(5)]
    assert {len(part) for part, _ in parts} == {5, 2}
    assert_same(learnt(name, teacher, loss, [(whole, 1.0)]), learnt(name, teacher, loss, parts))


def test_labels_of_changed_texts_are_in_no_loss(name: str, teacher: PreTrainedModel) -> None:
    whole = texts(name, 16)
    assert whole.labels is not None and whole.are_changed is not None
    other = replace(whole, labels=torch.where(whole.are_changed, 2, whole.labels))
    assert_same(*(learnt(name, teacher, "labels", [(each, 1.0)]) for each in (whole, other)))
    nothing = replace(whole, are_changed=torch.ones_like(whole.are_changed))
    assert learnt(name, teacher, "labels", [(nothing, 1.0)])[0] == 0
