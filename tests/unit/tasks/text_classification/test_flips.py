import numpy as np
import pytest

from ose.core.measurement import LabelFlips, Metric
from ose.tasks.text_classification.flips import flips, flips_of_several


def answers(ids: list[int]) -> np.ndarray:
    return np.eye(4)[ids]


def test_flips_are_counted_by_the_teachers_label() -> None:
    teacher = answers([0, 0, 0, 0, 2, 2])
    found = flips(answers([0, 1, 1, 3, 2, 2]), teacher)
    assert found == (
        LabelFlips(label=0, num_items=4, num_flipped=3, share=Metric(value=0.75, stderr=0.25), most_often=1),
        LabelFlips(label=2, num_items=2, num_flipped=0, share=Metric(value=0.0, stderr=0.0), most_often=None),
    )


def test_of_equals_the_lowest_label_is_named() -> None:
    assert flips(answers([3, 2]), answers([0, 0]))[0].most_often == 2


def test_phrases_of_one_sentence_are_one_unit() -> None:
    teacher, model = answers([0] * 6), answers([1, 1, 0, 0, 0, 0])
    grouped = flips(model, teacher, np.array([0, 0, 1, 1, 2, 2]))[0].share
    assert grouped.stderr == pytest.approx(flips(answers([1, 0, 0]), answers([0] * 3))[0].share.stderr)


def test_of_several_labels_at_once_those_that_are_left_out_are_counted() -> None:
    teacher = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0]], bool)
    model = np.array([[1, 0, 1], [0, 0, 1], [1, 0, 0]], bool)
    first, second = flips_of_several(model, teacher)
    assert (first.label, first.num_items, first.num_flipped, first.most_often) == (0, 3, 1, None)
    assert (second.label, second.num_items, second.num_flipped) == (1, 1, 1)
