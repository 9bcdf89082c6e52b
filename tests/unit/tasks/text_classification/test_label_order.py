"""Other orders are found, and weak teachers raise no alarm."""

from __future__ import annotations

import numpy as np
import pytest

from ose.tasks.text_classification.label_order import LabelOrder, fitting_order

NAMES = ("contradiction", "entailment", "neutral")


def answers(order: list[int], labels: np.ndarray, accuracy: float, rng: np.random.Generator) -> np.ndarray:
    """A teacher that calls label l `order[l]`, where it knows it; else it guesses."""
    knows = rng.random(len(labels)) < accuracy
    return np.eye(len(order))[np.where(knows, np.array(order)[labels], rng.integers(len(order), size=len(labels)))]


@pytest.mark.parametrize("order", [[1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [0, 2, 1]])
def test_another_order_of_inference_labels_is_found(order: list[int]) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    found = fitting_order(labels, answers(order, labels, 0.6, rng))
    assert found is not None and list(found.teacher_ids) == order
    assert found.accuracy > found.accuracy_as_given + 0.05


def test_the_right_order_is_no_news() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=300)
    assert fitting_order(labels, answers([0, 1, 2], labels, 0.4, rng)) is None
    assert fitting_order(labels, answers([0, 1, 2], labels, 1.0, rng)) is None


def test_an_order_of_many_labels_is_found_from_a_few_items_of_each() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(150).tolist()
    labels = rng.integers(150, size=1_000)
    found = fitting_order(labels, answers(order, labels, 0.7, rng))
    assert found is not None
    assert np.mean(np.array(found.teacher_ids) == order) > 0.95


@pytest.mark.parametrize(("num_labels", "num_items", "draws"), [(3, 100, 2_000), (3, 2_000, 500), (20, 300, 300)])
def test_a_teacher_that_guesses_raises_no_alarm(num_labels: int, num_items: int, draws: int) -> None:
    rng = np.random.default_rng(0)
    for _ in range(draws):
        labels, choices = rng.integers(num_labels, size=(2, num_items))
        assert fitting_order(labels, np.eye(num_labels)[choices]) is None


def test_a_teacher_with_a_favourite_raises_no_alarm() -> None:
    """Most labels are 1, and it nearly always says 0: to take 0 for 1 gains accuracy, but it knows nothing."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        labels, choices = rng.choice(3, p=[0.1, 0.7, 0.2], size=300), rng.choice(3, p=[0.9, 0.05, 0.05], size=300)
        assert fitting_order(labels, np.eye(3)[choices]) is None
    assert fitting_order(labels, np.eye(3)[np.zeros(300, dtype=int)]) is None


def test_few_items_decide_nothing() -> None:
    assert fitting_order(np.array([0, 1]), np.eye(2)[[1, 0]]) is None
    assert fitting_order(np.array([0]), np.eye(2)[[1]]) is None


def test_phrases_of_one_sentence_are_one_unit() -> None:
    """Eight sentences of a hundred phrases are eight items, which decide nothing."""
    rng = np.random.default_rng(0)
    labels, choices = np.repeat(rng.integers(3, size=(2, 8)), 100, axis=1)
    assert fitting_order(labels, np.eye(3)[choices], np.repeat(np.arange(8), 100)) is None


def test_labels_that_do_not_occur_stay_where_they_are() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 3], size=200)
    found = fitting_order(labels, np.eye(5)[3 - labels])
    assert found is not None and found.teacher_ids == (3, 1, 2, 0, 4)


def test_a_favourite_hides_no_order() -> None:
    """Most labels are 1, its favourite is 0: most items agree if 0 stands for 1, but it knows label 1 as its 2."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, p=[0.1, 0.85, 0.05], size=1_000)
    choices = np.where(rng.random(1_000) < 0.4, np.array([1, 2, 0])[labels], 0)
    found = fitting_order(labels, np.eye(3)[choices])
    assert found is not None and found.teacher_ids == (1, 2, 0)


def test_one_line_names_the_order() -> None:
    order = LabelOrder(teacher_ids=(1, 2, 0), accuracy=0.881, accuracy_as_given=0.052, num_items=1_000)
    assert order.text(NAMES) == (
        "numbered labels are in another order than the teacher's: 0 is its 1 ('entailment'), 1 is its 2 ('neutral'), "
        "2 is its 0 ('contradiction') would make 88.1% of its answers to 1,000 items right, not 5.2%; give names, or "
        "the teacher's ids"
    )
    many = LabelOrder(teacher_ids=(*range(1, 10), 0), accuracy=1, accuracy_as_given=0, num_items=99)
    assert "5 is its 6 ('f') and 4 more would" in many.text("zabcdefghi".replace("f", "e", 1).replace("e", "f"))
