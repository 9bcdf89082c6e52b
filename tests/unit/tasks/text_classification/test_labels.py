"""Labels as files have them: names, ids, text that reads as a number, lists, vectors, and what is none of these."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ose.errors import CorpusError
from ose.tasks.text_classification.head_labels import HeadLabels, head_labels
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.labels import (
    LabelReader,
    is_vector_column,
    label_reader,
    labels_without_example,
    read_labels,
    require_different_labels,
)

NLI = {"id2label": {"0": "contradiction", "1": "entailment", "2": "neutral"}}
PLACE = "train.csv, line 7"


def reader(kind: Kind, config: dict[str, Any] | None = None, *, is_vectors: bool = False) -> LabelReader:
    return LabelReader(head=head_labels(NLI if config is None else config, kind), is_vectors=is_vectors)


def named(*names: str) -> dict[str, Any]:
    return {"id2label": {str(index): name for index, name in enumerate(names)}}


@pytest.mark.parametrize(
    ("raw", "index"),
    [
        ("entailment", 1),
        ("Entailment", 1),
        (" NEUTRAL ", 2),
        ("LABEL_2", 2),
        ("label_0", 0),
        (1, 1),
        (np.int64(2), 2),
        (2.0, 2),
        ("0", 0),
        ("1.0", 1),
        (True, 1),
        (["neutral"], 2),
        ([2], 2),
    ],
)
def test_a_label_is_a_name_or_an_id(raw: Any, index: int) -> None:
    assert reader("single_label").read(raw, PLACE) == index


def test_text_that_is_a_name_is_no_number() -> None:
    stars = reader("single_label", named("5", "4", "3", "2", "1"))
    assert (stars.read("5", PLACE), stars.read("1", PLACE), stars.read("0", PLACE)) == (0, 4, 0)
    assert stars.read(4, PLACE) == 4


def test_case_tells_labels_apart_where_it_has_to() -> None:
    units = reader("single_label", named("mg", "Mg", "kg"))
    assert (units.read("mg", PLACE), units.read("Mg", PLACE), units.read("KG", PLACE)) == (0, 1, 2)
    with pytest.raises(CorpusError, match="no label 'MG'"):
        units.read("MG", PLACE)


def test_truth_has_names_or_is_1() -> None:
    assert reader("single_label", named("True", "False")).read(True, PLACE) == 0
    assert reader("single_label", named("no", "yes")).read(True, PLACE) == 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("entailmnt", "the model has no label 'entailmnt'; did you mean 'entailment'?"),
        ("ENTAILMNT", "the model has no label 'ENTAILMNT'; did you mean 'entailment'?"),
        ("xyz", "the model has no label 'xyz'; it has 'contradiction', 'entailment', 'neutral'"),
        ("LABEL_3", "the model has no label 'LABEL_3'; it has 'contradiction', 'entailment', 'neutral'"),
        ("1_0", "the model has no label '1_0'; it has 'contradiction', 'entailment', 'neutral'"),
        (3, "the label '3' is no id of the model's, 0 to 2"),
        ("7", "the label '7' is no id of the model's, 0 to 2"),
        (-1, "the label '-1' is no id of the model's, 0 to 2; -1 is how GLUE writes labels that it keeps secret"),
        (0.5, "the label '0.5' is no id of the model's, 0 to 2"),
        (None, "the row has no label"),
        ("  ", "the row has no label"),
        (math.nan, "the row has no label"),
        ("nan", "the model has no label 'nan'; it has 'contradiction', 'entailment', 'neutral'"),
        (math.inf, "the label 'inf' cannot be used"),
        (10**400, f"the label '{'1' + 198 * '0'}…' cannot be used"),
        ([0, 1], "the label '[0, 1]' cannot be used"),
        ({"a": 1}, "the label '{'a': 1}' cannot be used"),
        ("a\nb", "the model has no label 'a b'; it has 'contradiction', 'entailment', 'neutral'"),
    ],
)
def test_a_label_that_is_none_of_the_teachers_is_refused_where_it_stands(raw: Any, message: str) -> None:
    with pytest.raises(CorpusError) as refused:
        reader("single_label").read(raw, PLACE)
    assert str(refused.value) == f"{PLACE}: {message}"


def test_numbers_are_told_from_names() -> None:
    """Only the order of numbers has to be held against the teacher's answers."""
    either = reader("single_label")
    assert not any(map(either.is_numbered, ["neutral", "Neutral", ["neutral"]]))
    assert all(map(either.is_numbered, [1, "1", 1.0, True, [2], "LABEL_1"]))
    assert not reader("single_label", named("1", "0")).is_numbered("1")
    assert not reader("one_logit", {}).is_numbered(1)


def test_of_many_labels_a_few_are_named() -> None:
    with pytest.raises(CorpusError, match=r"it has 'intent 0', .*'intent 7' and 142 more$"):
        reader("single_label", named(*(f"intent {n}" for n in range(150)))).read("%", PLACE)


def test_a_name_that_two_labels_have_tells_neither() -> None:
    with pytest.raises(CorpusError, match="more than one label of the model is called 'other'; only ids"):
        reader("single_label", named("other", "news", "other")).read("other", PLACE)
    assert reader("single_label", named("other", "news", "other")).read(2, PLACE) == 2


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["neutral", "contradiction"], (1, 0, 1)),
        ([2, 0], (1, 0, 1)),
        ([], (0, 0, 0)),
        ("entailment", (0, 1, 0)),
        ("2", (0, 0, 1)),
        (2, (0, 0, 1)),
        ('["neutral", "entailment"]', (0, 1, 1)),
        ("['neutral', 'entailment']", (0, 1, 1)),
        ("[0, 1]", (1, 1, 0)),
        ("[]", (0, 0, 0)),
        (np.array([1, 2]), (0, 1, 1)),
        (("neutral",), (0, 0, 1)),
    ],
)
def test_several_labels_are_a_list_of_names_or_ids(raw: Any, expected: tuple[int, ...]) -> None:
    assert reader("multi_label").read(raw, PLACE) == expected


@pytest.mark.parametrize("raw", [[1, 0, 1], [1.0, 0.0, 1.0], ["1", "0", "1"], "[1, 0, 1]", np.array([1, 0, 1])])
def test_several_labels_are_a_vector_of_0_and_1(raw: Any) -> None:
    assert label_reader(reader("multi_label").head, [raw]).read(raw, PLACE) == (1, 0, 1)


@pytest.mark.parametrize(
    ("raw", "is_vectors", "message"),
    [
        ([0, 1], True, "the label '[0, 1]' is no list of 3 times 0 or 1, as others are"),
        ([0, 1, 2], True, "the label '[0, 1, 2]' is no list of 3 times 0 or 1, as others are"),
        ("neutral", True, "the label 'neutral' is no list of 3 times 0 or 1, as others are"),
        ([0, 0], False, "the label '[0, 0]' names one label twice; a list of 0 and 1 needs 3 of them"),
        (["neutrl"], False, "the model has no label 'neutrl'; did you mean 'neutral'?"),
        ([None], False, "the row has no label"),
        ("", False, "the row has no label"),
        (None, False, "the row has no label"),
        ([[0]], False, "the label '[0]' cannot be used"),
        ("[0, 1", False, "the model has no label '[0, 1'; it has 'contradiction', 'entailment', 'neutral'"),
        (f"{'[' * 9_000}{']' * 9_000}", False, None),
    ],
)
def test_several_labels_that_cannot_be_read_are_refused(raw: Any, is_vectors: bool, message: str | None) -> None:
    with pytest.raises(CorpusError) as refused:
        reader("multi_label", is_vectors=is_vectors).read(raw, PLACE)
    assert message is None or str(refused.value) == f"{PLACE}: {message}"


@pytest.mark.parametrize(
    ("lists", "num_labels", "expected"),
    [
        ([[0, 1], [1, 0]], 2, True),  # as ids every row would have every label
        ([[0, 1], [1]], 2, False),
        ([[0, 1], [0, 0]], 2, True),  # no list of ids says 0 twice
        ([[0, 1], [0, 0], [1]], 2, True),  # so the last one is a mistake
        ([[0], [1]], 1, True),
        ([[0], []], 1, False),
        ([[0, 1, 1], [2]], 3, True),
        ([[0, 1, 2], [0, 1]], 3, False),
        ([["a", "b", "c"]], 3, False),
        (["a", "b"], 3, False),
        ([None, "[0, 0, 1]"], 3, True),
        ([], 3, False),
    ],
)
def test_a_column_of_lists_has_one_form(lists: list[Any], num_labels: int, expected: bool) -> None:
    assert is_vector_column(lists, num_labels) is expected


@pytest.mark.parametrize(("raw", "number"), [(0.25, 0.25), (4, 4.0), ("3.8", 3.8), ("-1e-3", -0.001), (False, 0.0)])
def test_one_logit_takes_numbers(raw: Any, number: float) -> None:
    assert reader("one_logit", {}).read(raw, PLACE) == number


@pytest.mark.parametrize("raw", ["good", "nan", math.inf, None, [0.5], "LABEL_0"])
def test_one_logit_takes_nothing_else(raw: Any) -> None:
    with pytest.raises(CorpusError, match=r"^train\.csv, line 7: .*; a model of one logit needs a number$"):
        reader("one_logit", {"id2label": {"0": "LABEL_0"}}).read(raw, PLACE)


def test_a_column_becomes_what_metrics_take() -> None:
    def read(kind: Kind, raws: list[Any]) -> np.ndarray:
        return read_labels(head_labels(NLI, kind), [(PLACE, raw) for raw in raws])

    assert (ids := read("single_label", ["neutral", 0])).tolist() == [2, 0] and ids.dtype == np.int64
    assert read("multi_label", [[0, 2], []]).tolist() == [[1, 0, 1], [0, 0, 0]]
    assert read("multi_label", [[0, 1, 0], [1, 1, 1]]).tolist() == [[0, 1, 0], [1, 1, 1]]
    assert (numbers := read("one_logit", ["1", 2.5])).tolist() == [1.0, 2.5] and numbers.dtype == np.float64
    with pytest.raises(CorpusError, match=r"train\.csv, line 7: the model has no label 'x'"):
        read("single_label", ["neutral", "x"])


def test_labels_without_an_example_are_told() -> None:
    def without(kind: Kind, labels: list[Any]) -> tuple[str, ...]:
        return labels_without_example(head_labels(NLI, kind), np.array(labels))

    assert without("single_label", [0, 2, 2]) == ("entailment",)
    assert without("multi_label", [[0, 1, 0], [0, 0, 0]]) == ("contradiction", "neutral")
    assert without("one_logit", [0.5]) == ()


@pytest.mark.parametrize(
    ("kind", "labels", "message"),
    [
        ("single_label", [1, 1, 1], "all 3 labels of the validation part are 'entailment'; metrics need two"),
        ("multi_label", [[1, 0, 1]] * 3, "all 3 labels of the validation part are 'contradiction', 'neutral'; "),
        ("multi_label", [[0, 0, 0]] * 3, "all 3 labels of the validation part are none; metrics need two"),
        ("one_logit", [0.5, 0.5], "all 2 labels of the validation part are 0.5; metrics need two"),
        ("single_label", [], "the validation part has no item with a label"),
    ],
)
def test_labels_that_tell_no_model_from_another_are_refused(kind: Kind, labels: list[Any], message: str) -> None:
    with pytest.raises(CorpusError) as refused:
        require_different_labels(head_labels(NLI, kind), np.array(labels))
    assert str(refused.value).startswith(message)


def test_answers_to_queries_have_no_label_below_0() -> None:
    head = HeadLabels(kind="one_logit", names=(), aliases={})
    labels, query = np.array([-1.0, 2.0]), np.array([0, 0])
    require_different_labels(head, labels)
    with pytest.raises(CorpusError, match="a label of answers to queries must be 0 or more, not -1"):
        require_different_labels(head, labels, query)
