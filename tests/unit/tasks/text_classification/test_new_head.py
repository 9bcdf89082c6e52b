from typing import Any

import pytest

from ose.core.finetuning import HeadRequest
from ose.errors import CorpusError, InvalidInputError
from ose.tasks.text_classification.labels import read_labels
from ose.tasks.text_classification.new_head import config_changes, new_head


@pytest.mark.parametrize(
    ("raws", "kind", "names", "read"),
    [
        (["pos", "neg", "pos"], "single_label", ("neg", "pos"), [1, 0, 1]),
        (["0", "2", "1"], "single_label", ("LABEL_0", "LABEL_1", "LABEL_2"), [0, 2, 1]),
        ([0, 2], "single_label", ("LABEL_0", "LABEL_1", "LABEL_2"), [0, 2]),
        ([True, False], "single_label", ("False", "True"), [1, 0]),
        (["1", "two"], "single_label", ("1", "two"), [0, 1]),
        (["3.2", "0.000", "5"], "one_logit", ("LABEL_0",), [3.2, 0, 5]),
        ([0.5, 1, -2.0], "one_logit", ("LABEL_0",), [0.5, 1, -2]),
        ([["b"], ["a", "b"], []], "multi_label", ("a", "b"), [[0, 1], [1, 1], [0, 0]]),
        ([[0, 1], [1, 1]], "multi_label", ("LABEL_0", "LABEL_1"), [[0, 1], [1, 1]]),
        ([[0, 2], [1]], "multi_label", ("LABEL_0", "LABEL_1", "LABEL_2"), [[1, 0, 1], [0, 1, 0]]),
    ],
)
def test_the_head_follows_from_the_labels_and_reads_them(
    raws: list[Any], kind: str, names: tuple[str, ...], read: list[Any]
) -> None:
    head = new_head(raws, HeadRequest())
    assert (head.kind, head.names) == (kind, names)
    assert read_labels(head, [("here", raw) for raw in raws]).tolist() == read


def test_names_that_are_given_are_those_of_the_ids() -> None:
    head = new_head(["1", "0"], HeadRequest(labels=("negative", "positive")))
    assert head.names == ("negative", "positive")
    assert read_labels(head, [("here", "1"), ("here", "negative")]).tolist() == [1, 0]


def test_what_is_asked_for_comes_first() -> None:
    assert new_head(["1", "5"], HeadRequest(problem_type="regression")).kind == "one_logit"
    assert new_head(["1", "5"], HeadRequest(problem_type="multi_label_classification")).kind == "multi_label"
    assert new_head([1.0, 0.0], HeadRequest(problem_type="single_label_classification")).names == ("LABEL_0", "LABEL_1")


def test_the_problem_type_and_both_tables_of_names_are_written() -> None:
    assert config_changes(new_head(["b", "a"], HeadRequest())) == {
        "num_labels": 2,
        "id2label": {0: "a", 1: "b"},
        "label2id": {"a": 0, "b": 1},
        "problem_type": "single_label_classification",
    }
    assert config_changes(new_head([0.5], HeadRequest()))["problem_type"] == "regression"


@pytest.mark.parametrize(
    ("raws", "request_", "said"),
    [
        (["a", "a"], HeadRequest(), "all 2 labels are 'a'; a classifier needs two"),
        ([["a"], "b"], HeadRequest(), "1 of 2 labels are lists, the others are not"),
        ([0, 90_000], HeadRequest(), "--problem-type regression takes them as amounts"),
        (["a", 1.5], HeadRequest(), "'1.5' among the labels is neither a name nor an id"),
        (["a", 0], HeadRequest(), "'0' among the labels is neither a name nor an id"),
    ],
)
def test_labels_of_no_one_form_are_one_line(raws: list[Any], request_: HeadRequest, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        new_head(raws, request_)


def test_amounts_have_no_names() -> None:
    with pytest.raises(InvalidInputError, match="leave out --labels"):
        new_head([0.5], HeadRequest(labels=("a", "b"), problem_type="regression"))
