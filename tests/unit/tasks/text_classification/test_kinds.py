from typing import Any

import pytest

from ose.errors import TeacherError
from ose.tasks.text_classification.kinds import kind_of, num_labels


@pytest.mark.parametrize(
    ("config", "kind", "count"),
    [
        ({}, "single_label", 2),
        ({"num_labels": 1}, "one_logit", 1),
        ({"num_labels": None}, "single_label", 2),
        ({"id2label": {"0": "LABEL_0"}}, "one_logit", 1),
        ({"id2label": {"0": "a", "1": "b", "2": "c"}}, "single_label", 3),
        ({"id2label": {}, "num_labels": 3}, "single_label", 3),
        ({"id2label": {"0": "a", "1": "b"}, "problem_type": "multi_label_classification"}, "multi_label", 2),
        ({"num_labels": 1, "problem_type": "multi_label_classification"}, "multi_label", 1),
        ({"num_labels": 1, "problem_type": "regression"}, "one_logit", 1),
        ({"num_labels": 3, "problem_type": "single_label_classification"}, "single_label", 3),
        ({"num_labels": 3, "problem_type": None}, "single_label", 3),
    ],
    ids=str,
)
def test_the_configuration_tells_what_outputs_mean(config: dict[str, Any], kind: str, count: int) -> None:
    assert (kind_of(config, "here"), num_labels(config, "here")) == (kind, count)


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ({"num_labels": 1, "problem_type": "single_label_classification"}, "one label of one"),
        ({"num_labels": 2, "problem_type": "regression"}, "a regression of 2 numbers at once"),
        ({"problem_type": "ranking"}, "problem_type must be one of single_label_classification, "),
        ({"problem_type": ["regression"]}, "problem_type must be one of"),
        ({"num_labels": 0}, "num_labels must be a whole number from 1 up, not '0'"),
        ({"num_labels": True}, "num_labels must be a whole number"),
        ({"num_labels": "3"}, "num_labels must be a whole number"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_one_line(config: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TeacherError, match=f"^here: {complaint}"):
        kind_of(config, "here")
