from dataclasses import fields, replace

import pytest
import torch
from classifiers import items
from torch.nn import functional as F

from ose.core.recipe import DistillationSpec, LossWeights
from ose.tasks.text_classification.forward import EncodedTexts
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.output_losses import label_loss, output_losses

KINDS: tuple[Kind, ...] = ("single_label", "multi_label", "one_logit")


def said(kind: Kind, seed: int, size: float = 1.0) -> EncodedTexts:
    width = 1 if kind == "one_logit" else 3
    logits = size * torch.randn(8, width, generator=torch.Generator().manual_seed(seed))
    none = torch.zeros(0)
    return EncodedTexts(states=none, layer_states=(), attention_mask=none, logits=logits, kind=kind)


def spec(temperature: float = 1.0, **weights: float) -> DistillationSpec:
    nothing = {field.name: 0.0 for field in fields(LossWeights)}
    return DistillationSpec(weights=LossWeights(**nothing | weights), temperature=temperature)


def loss(name: str, student: EncodedTexts, teacher: EncodedTexts, temperature: float = 1.0) -> torch.Tensor:
    return output_losses(student, lambda: teacher, items("bert", 8), spec(temperature, **{name: 1.0}))[name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_a_student_that_answers_as_its_teacher_has_no_loss(kind: Kind, temperature: float) -> None:
    teacher = said(kind, 0)
    for name in ("soft_targets", "logits"):
        assert loss(name, teacher, teacher, temperature).item() == pytest.approx(0, abs=1e-6)
        assert loss(name, said(kind, 1), teacher, temperature).item() > 0.01


def test_soft_targets_are_the_divergence_of_softened_distributions_times_the_squared_temperature() -> None:
    student, teacher = said("single_label", 0), said("single_label", 1)
    expected = 9 * F.kl_div(
        (student.logits / 3).log_softmax(-1), (teacher.logits / 3).softmax(-1), reduction="batchmean"
    )
    torch.testing.assert_close(loss("soft_targets", student, teacher, 3.0), expected)


@pytest.mark.parametrize("kind", ["single_label", "multi_label"])
def test_teachers_of_equal_first_choices_and_other_confidence_teach_differently(kind: Kind) -> None:
    student = replace(said(kind, 1), logits=said(kind, 1).logits.requires_grad_())
    gradients = []
    for size in (0.2, 4.0):
        loss("soft_targets", student, said(kind, 0, size)).backward()
        gradients.append(student.logits.grad.clone())
        student.logits.grad = None
    assert (gradients[0] - gradients[1]).abs().max() > 0.01


def test_one_logit_learns_although_its_softmax_is_always_one() -> None:
    student = replace(said("one_logit", 1), logits=said("one_logit", 1).logits.requires_grad_())
    loss("soft_targets", student, said("one_logit", 0)).backward()
    assert student.logits.grad.abs().min() > 1e-3


def test_labels_are_learnt_by_torchs_own_losses() -> None:
    logits = said("single_label", 0).logits
    ids = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
    torch.testing.assert_close(label_loss(logits, ids, "single_label"), F.cross_entropy(logits, ids))
    several = F.one_hot(ids, 3)
    expected = F.binary_cross_entropy_with_logits(logits, several.float())
    torch.testing.assert_close(label_loss(logits, several, "multi_label"), expected)
    torch.testing.assert_close(label_loss(logits[:, :1], ids, "one_logit"), (logits[:, 0] - ids).square().mean())


def test_where_there_are_no_labels_none_are_learnt() -> None:
    student = said("single_label", 0)
    asked = spec(labels=1.0, logits=1.0)
    assert set(output_losses(student, lambda: student, items("bert", 8), asked)) == {"logits"}
    labelled = replace(items("bert", 8), labels=torch.zeros(8, dtype=torch.long))
    assert set(output_losses(student, lambda: student, labelled, asked)) == {"logits", "labels"}
