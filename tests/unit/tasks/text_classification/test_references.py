from __future__ import annotations

from dataclasses import replace

import classifiers
import pytest
import torch

from ose.errors import CorpusError
from ose.tasks.text_classification.answers import answers_of, distances
from ose.tasks.text_classification.classification_data import ClassificationData
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.quality import quality_of
from ose.tasks.text_classification.references import ClassificationReferences, sure_answers

KINDS: tuple[Kind, ...] = ("single_label", "multi_label", "one_logit")
LABELS = {
    "single_label": torch.tensor([2, 0, 1, 1]),
    "multi_label": torch.tensor([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]),
    "one_logit": torch.tensor([0.0, 1.0, 1.0, 0.0]),
}


def _logits(kind: Kind) -> torch.Tensor:
    return torch.randn(4, 1 if kind == "one_logit" else 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_distance_from_labels_is_the_usual_loss(kind: Kind) -> None:
    logits, labels = _logits(kind), LABELS[kind]
    found = distances(sure_answers(labels, answers_of(logits, kind)), answers_of(logits, kind)).mean()
    usual = {
        "single_label": lambda: torch.nn.functional.cross_entropy(logits, labels),
        "multi_label": lambda: torch.nn.functional.binary_cross_entropy_with_logits(logits, labels.float()),
    }
    torch.testing.assert_close(found, usual[kind]())


def test_numbers_get_the_teachers_scale() -> None:
    answers = torch.tensor([[-5.0], [4.0], [6.0], [-3.0]])
    found = sure_answers(LABELS["one_logit"], answers)
    assert found.shape == answers.shape
    torch.testing.assert_close(found.mean(), answers.mean())
    torch.testing.assert_close(found.std(), answers.std())
    assert (found[:, 0] > 0).tolist() == [False, True, True, False]
    assert torch.isfinite(sure_answers(torch.ones(4), answers)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_judged_as_the_logits_that_give_them(kind: Kind) -> None:
    logits = _logits(kind)
    data = _data(kind, LABELS[kind])
    found = ClassificationReferences().quality_of(answers_of(logits, kind), data)
    expected = quality_of(logits, data)
    assert found.loss_nats == pytest.approx(expected.loss_nats, abs=1e-5)
    assert {name: each.value for name, each in found.metrics.items()} == pytest.approx(
        {name: each.value for name, each in expected.metrics.items()}, abs=1e-5
    )


def test_no_labels_cannot_be_learnt() -> None:
    with pytest.raises(CorpusError, match="no labels"):
        ClassificationReferences().labelled(_data("single_label", None))


def _data(kind: Kind, labels: torch.Tensor | None) -> ClassificationData:
    texts = replace(classifiers.items("bert", 4), labels=labels)
    logits = _logits(kind).flip(0)
    return ClassificationData(
        train=texts, answers=answers_of(logits, kind), held_out=texts, held_out_logits=logits, kind=kind
    )
