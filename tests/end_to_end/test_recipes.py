"""A student of a classifier is distilled by the recipe of its task, on text without labels first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from classifiers import put_labelled

from ose.core.presets import preset_spec


@pytest.fixture
def labelled(job: dict[str, Any], tiny_classifier: Path, real_text: list[str], tmp_path: Path) -> dict[str, Any]:
    """The small job for a classifier, with text without labels too."""
    spec, _ = put_labelled(tmp_path, real_text)
    corpus = {
        "train": list(spec.train),
        "validation": list(spec.validation),
        "general": job["corpus"]["train"],
        "columns": {"text": "sentence", "label": "kind"},
        "sequence_length": 16,
    }
    space = {**job["space"], "num_hidden_layers": [1], "hidden_size": [16]}
    own = {"steps": 4, "general_steps": 3, "checkpoint_every": 2, "augmentation": {"copies": 2}}
    return {
        **job,
        "teacher": {"model": str(tiny_classifier), "as_is": True},
        "corpus": corpus,
        "space": space,
        "distillation": own,
    }


@pytest.mark.long("`make test` has both stages of each task in one process")
def test_a_student_is_distilled_in_both_stages(ose, labelled: dict[str, Any], write) -> None:
    assert ose("job", "run", write(labelled)).status == 0
    [known] = json.loads(ose("job", "list", "--format", "json").out)
    recipe, task = known["spec"]["distillation"], preset_spec("task")
    assert (recipe["preset"], recipe["steps"], recipe["batch_size"], recipe["general_steps"]) == ("task", 4, 32, 3)
    assert recipe["learning_rate"] == task.learning_rate and recipe["augmentation"]["copies"] == 2
    assert "spelled_out" not in known["spec"]

    done = ose("distill", known["id"])
    assert done.status == 0 and "7 steps" in done.out
    again = ose("distill", known["id"], "--preset", "tang", "--format", "json")
    assert json.loads(again.out)["spec"]["weights"]["logits"] == 1
    refused = ose("distill", known["id"], "--preset", "bort")
    assert (refused.status, refused.complaint) == (
        2,
        "error: distillation.weights.masked_lm is no loss of the task text_classification, which has soft_targets, "
        "logits, labels, cosine, relations, hidden_states; set it to 0, or name the preset task",
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"preset": "ose"}, "distillation.weights.masked_lm is no loss of the task text_classification"),
        ({"weights": {"masked_lm": 1}}, "distillation.weights.masked_lm is no loss of the task text_classification"),
        ({"augmentation": {"mask": 2}}, "distillation.augmentation.mask must be at most 1, not 2"),
    ],
)
def test_a_recipe_that_is_none_for_the_task_is_one_line(
    ose, labelled: dict[str, Any], write, changes: dict[str, Any], message: str
) -> None:
    refused = ose("job", "submit", write({**labelled, "distillation": changes}))
    assert refused.status == 2 and message in refused.complaint


def test_only_a_corpus_with_rows_has_text_without_labels(ose, job: dict[str, Any], write) -> None:
    job["corpus"]["general"] = job["corpus"]["train"]
    refused = ose("job", "submit", write(job))
    assert refused.status == 2 and "corpus.general is given, but all text of the task fill_mask" in refused.complaint
