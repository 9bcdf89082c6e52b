from typing import Any

import pytest
from manifests import manifest

from ose.core.spec import Columns
from ose.tasks.text_classification.card import MOST_LABELS, student_card

SINGLE = Columns(text="sentence", label="kind")
PAIRS = Columns(text="premise", text_pair="hypothesis", label="kind")


def flip(label: int, flipped: int, instead: int | None = None) -> dict[str, Any]:
    share = {"value": flipped / 40, "stderr": 0.01}
    return {"label": label, "num_items": 40, "num_flipped": flipped, "share": share, "most_often": instead}


def card(columns: Columns = SINGLE, **changes: Any) -> str:
    accuracy = {"value": 0.9, "stderr": 0.01}
    usual: dict[str, Any] = {"labels": ["no", "yes"], "problem_type": None}
    teacher = {"metrics": {"accuracy": {"value": 0.96, "stderr": None}}} | changes.pop("teacher", {})
    return student_card(manifest({"accuracy": accuracy}, columns, teacher=teacher, **(usual | changes)))


def test_metrics_stand_with_their_errors_what_they_are_of_and_what_is_kept() -> None:
    told = card()
    assert "It gives a text one of 2 labels: no, yes." in told
    assert "| accuracy | 96.0% | 90.0% ± 1.0% |" in told
    assert "400 held-out items against their labels and the teacher's answers" in told
    assert "The student keeps 93.8% of the teacher's accuracy." in told


def test_without_labels_nothing_is_said_to_be_kept() -> None:
    told = card(Columns(text="sentence"))
    assert "the teacher's answers, without labels" in told and "keeps" not in told


def test_flips_are_told_by_label() -> None:
    told = card(student={"flips": [flip(0, 2, 1), flip(1, 0)]})
    assert "| no | 40 | 2 (5.0% ± 1.0%) | yes |" in told and "| yes | 40 | 0 (0.0% ± 1.0%) |  |" in told


def test_of_many_labels_those_with_most_flips_are_shown() -> None:
    names = [f"label {i}" for i in range(50)]
    told = card(labels=names, student={"flips": [flip(i, i % 40, 0) for i in range(50)]})
    assert f"the {MOST_LABELS} of 50 labels with most flips" in told
    rows = [line for line in told.splitlines() if line.startswith("| label ")]
    assert len(rows) == MOST_LABELS and rows[0].startswith("| label 39 | 40 | 39 (")
    assert f"and {50 - MOST_LABELS} more." in told


def test_of_several_labels_all_are_asked_for() -> None:
    told = card(problem_type="multi_label_classification", student={"flips": [flip(0, 2)]})
    assert "any number of 2 labels" in told and "top_k=None" in told and "left out by the student" in told


def test_a_reranker_is_used_as_a_cross_encoder_too() -> None:
    told = card(PAIRS, labels=["LABEL_0"])
    assert 'CrossEncoder("this directory")' in told and '"text_pair"' in told and "one number" in told
    assert "squared error over the teacher's variance" in told
    assert "CrossEncoder" not in card(SINGLE, labels=["LABEL_0"])


def test_inference_is_used_zero_shot_too() -> None:
    told = card(PAIRS, labels=["contradiction", "neutral", "Entailment"])
    assert 'pipeline("zero-shot-classification", model="this directory")' in told
    assert "zero-shot" not in card(PAIRS) and "zero-shot" not in card(SINGLE, labels=["no", "entailment"])


@pytest.mark.parametrize("name", ["[x](http://e.vil)", "a\n# b", "<b>", "x | y"])
def test_labels_are_no_markup(name: str) -> None:
    told = card(labels=[name, "yes"], student={"flips": [flip(0, 1, 1), flip(1, 1, 0)]})
    assert not any(raw in told for raw in ("](http:", "\n# b", "<b>", "x | y"))
