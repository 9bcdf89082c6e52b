import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ose.core.measurement import TeacherCheck
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.label_scores import truths_of
from ose.tasks.text_classification.metrics import metrics_of
from ose.tasks.text_classification.most_frequent import most_frequent_check


def check(kind: Kind, scores: NDArray[np.float64], labels: NDArray[np.float64] | None) -> TeacherCheck | None:
    known = None if labels is None else torch.tensor(labels)
    ids = torch.zeros(len(scores), 2, dtype=torch.long)
    items = TextItems(input_ids=ids, lengths=torch.full((len(scores),), 2), labels=known)
    return most_frequent_check(kind, metrics_of(kind, scores, truths_of(items)), items)


def one_hot(ids: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    return np.eye(count)[ids]


RARE = np.repeat([0, 1], [90, 10])


def test_one_answer_for_all_is_no_better_than_the_most_frequent_label() -> None:
    found = check("single_label", one_hot(np.zeros(100, int), 2), RARE)
    assert found is not None and not found.is_passed and (found.value, found.bound) == (0.9, 0.9)
    assert found.told.startswith("90.0% of its answers to 100 items are right, where the most frequent label is")
    assert found.told.endswith("it is no better than one answer for all")


def test_one_that_finds_the_rare_label_passes_though_it_is_right_less_often() -> None:
    said = np.where(np.arange(100) < 15, 1, RARE)
    found = check("single_label", one_hot(said, 2), RARE)
    assert found is not None and found.value < found.bound and found.is_passed


def test_labels_in_another_order_are_worse_than_guessing() -> None:
    labels = np.arange(99) % 3
    found = check("single_label", one_hot((labels + 1) % 3, 3), labels)
    assert found is not None and not found.is_passed and found.value == 0


@pytest.mark.parametrize(("is_right", "is_passed"), [(True, True), (False, False)])
def test_several_labels_are_held_against_the_best_same_labels_for_all(is_right: bool, is_passed: bool) -> None:
    labels = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0]] * 5, dtype=np.float64)
    said = labels if is_right else np.tile([1.0, 0, 0], (20, 1))
    found = check("multi_label", said * 2 - 1, labels)
    assert found is not None and found.is_passed is is_passed
    assert found.bound == pytest.approx(2 * 15 / (20 + 25))  # the first label for all, 15 of 25


@pytest.mark.parametrize(("sign", "is_passed"), [(1, True), (-1, False)])
def test_a_number_follows_its_labels(sign: int, is_passed: bool) -> None:
    labels = np.linspace(0, 5, 30)
    found = check("one_logit", sign * labels[:, None], labels)
    assert found is not None and found.is_passed is is_passed and found.value == pytest.approx(sign)


def test_without_labels_or_a_difference_between_them_nothing_is_said() -> None:
    assert check("single_label", one_hot(RARE, 2), None) is None
    assert check("one_logit", np.arange(5.0)[:, None], np.ones(5)) is None
