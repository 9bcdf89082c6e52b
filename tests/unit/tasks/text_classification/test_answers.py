import math

import pytest
import torch

from ose.tasks.text_classification.answers import answers_of, distances, drawn_truth, truth_loss, variance_of
from ose.tasks.text_classification.kinds import Kind

KINDS: tuple[Kind, ...] = ("single_label", "multi_label", "one_logit")


def logits(kind: Kind, count: int = 50, seed: int = 0) -> torch.Tensor:
    width = 1 if kind == "one_logit" else 4
    return 2 * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_one_label_of_many_is_one_question_with_as_many_choices() -> None:
    answers = answers_of(logits("single_label"), "single_label")
    assert answers.shape == (50, 1, 4)
    torch.testing.assert_close(answers.exp()[:, 0], logits("single_label").softmax(-1))


def test_several_labels_at_once_are_a_question_of_two_each() -> None:
    answers = answers_of(logits("multi_label"), "multi_label")
    assert answers.shape == (50, 4, 2)
    torch.testing.assert_close(answers.exp()[..., 0], logits("multi_label").sigmoid())
    torch.testing.assert_close(answers.exp().sum(-1), torch.ones(50, 4))


def test_one_logit_is_itself_and_never_a_softmax_of_one() -> None:
    assert torch.equal(answers_of(logits("one_logit"), "one_logit"), logits("one_logit"))


@pytest.mark.parametrize("kind", KINDS)
def test_answers_stay_finite_where_a_teacher_is_sure(kind: Kind) -> None:
    answers = answers_of(1e4 * logits(kind), kind)
    assert answers.isfinite().all() and distances(answers, answers).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_in_float32_whatever_the_arithmetic_was(kind: Kind) -> None:
    assert answers_of(logits(kind).bfloat16(), kind).dtype == torch.float32


def test_distances_are_torchs_own_losses() -> None:
    teacher, student = (logits("single_label", seed=seed) for seed in (0, 1))
    found = distances(*(answers_of(each, "single_label") for each in (teacher, student)))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(student, teacher.softmax(-1), reduction="none"))
    found = distances(*(answers_of(each, "multi_label") for each in (teacher, student)))
    each_label = torch.nn.functional.binary_cross_entropy_with_logits(student, teacher.sigmoid(), reduction="none")
    torch.testing.assert_close(found, each_label.mean(dim=1))


def test_numbers_differ_in_units_of_the_teachers_variance() -> None:
    teacher, student = (answers_of(logits("one_logit", seed=seed), "one_logit") for seed in (0, 1))
    far = distances(teacher, student, variance_of(teacher))
    torch.testing.assert_close(far, distances(7 * teacher, 7 * student, variance_of(7 * teacher)))
    mean = distances(teacher, teacher.mean().expand_as(teacher), variance_of(teacher)).mean()
    assert mean == pytest.approx(49 / 50)  # who always says the mean has lost all that tells texts apart


@pytest.mark.parametrize("kind", KINDS)
def test_no_answer_is_nearer_to_a_teacher_than_its_own(kind: Kind) -> None:
    teacher = answers_of(logits(kind), kind)
    own = distances(teacher, teacher)
    for seed in range(1, 20):
        assert (distances(teacher, answers_of(logits(kind, seed=seed), kind)) >= own - 1e-6).all()


@pytest.mark.parametrize("kind", ["single_label", "multi_label"])
def test_equal_choices_of_another_confidence_are_another_distance(kind: Kind) -> None:
    sure, unsure, student = logits(kind), 0.1 * logits(kind), answers_of(0.5 * logits(kind), kind)
    assert torch.equal(sure.argmax(-1), unsure.argmax(-1)) and torch.equal(sure > 0, unsure > 0)
    far = [distances(answers_of(each, kind), student).mean().item() for each in (sure, unsure)]
    assert abs(far[0] - far[1]) > 0.05


def test_a_teacher_that_says_one_number_has_a_variance_all_the_same() -> None:
    assert variance_of(torch.full((5, 1), 3.0)) == 1
    assert variance_of(torch.tensor([[3.0]])) == 1
    assert variance_of(answers_of(logits("single_label"), "single_label")) == 1


def test_what_is_drawn_follows_the_teachers_distribution() -> None:
    teacher = answers_of(torch.tensor([[0.0, math.log(3)]]).expand(4000, 2), "single_label")
    truth = drawn_truth(teacher, torch.Generator().manual_seed(0))
    assert truth.shape == (4000, 1) and truth.double().mean() == pytest.approx(0.75, abs=0.03)
    said = torch.arange(2.0).repeat(2000)[:, None]
    numbers = drawn_truth(said, torch.Generator().manual_seed(0))
    assert numbers.shape == (4000, 1) and numbers.var() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_against_it_has_gradients_at_the_teacher_itself(kind: Kind) -> None:
    raw = logits(kind).requires_grad_()
    answers = answers_of(raw, kind)
    truth_loss(answers, drawn_truth(answers.detach(), torch.Generator().manual_seed(0))).backward()
    assert raw.grad is not None and raw.grad.abs().sum() > 0.1
