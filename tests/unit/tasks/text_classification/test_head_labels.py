"""Names of labels as configurations of real teachers have them, and as broken ones do."""

from __future__ import annotations

from typing import Any

import pytest

from ose.errors import TeacherError
from ose.tasks.text_classification.head_labels import head_labels

NLI = {"id2label": {"0": "contradiction", "1": "entailment", "2": "neutral"}}


def test_labels_are_those_of_the_configuration() -> None:
    assert head_labels(NLI, "single_label").names == ("contradiction", "entailment", "neutral")
    assert head_labels({"id2label": {1: "b", 0: "a"}}, "single_label").names == ("a", "b")
    assert head_labels({"label2id": {"b": 1, "a": 0}}, "single_label").names == ("a", "b")
    assert head_labels({"num_labels": 3}, "single_label").names == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert head_labels({}, "single_label").names == ("LABEL_0", "LABEL_1")


@pytest.mark.parametrize("config", [{}, {"id2label": None}, {"id2label": {"0": "LABEL_0"}}])
def test_one_logit_may_have_no_names(config: dict[str, Any]) -> None:
    assert head_labels(config, "one_logit").num_labels == 1


def test_other_names_for_the_same_ids_are_known_too() -> None:
    """Configurations often keep the `LABEL_0` from before labels had names."""
    config = {**NLI, "label2id": {"contradiction": 0, "yes": 1, "LABEL_0": 1, "NEUTRAL": 2}}
    either = head_labels(config, "single_label")
    assert [either.id_of_name(name) for name in ("yes", "entailment", "LABEL_0", "neutral")] == [1, 1, 0, 2]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({**NLI, "label2id": {"neutral": 0}}, "disagree on 'neutral'"),
        ({**NLI, "label2id": {"Neutral": 0}}, "disagree on 'Neutral'"),
        ({**NLI, "label2id": {"other": 3}}, "disagree on 'other'"),
        ({"id2label": {"1": "a", "2": "b"}}, "the 2 label ids in the teacher's config.json are not 0 to 1"),
        ({"id2label": {"a": "b"}}, "no tables of names and ids"),
        ({"id2label": ["a", "b"]}, "no tables of names and ids"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(TeacherError, match=message):
        head_labels(config, "single_label")
