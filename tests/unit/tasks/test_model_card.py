from typing import Any

import pytest
import yaml
from manifests import manifest

from ose.tasks import model_card
from ose.tasks.registry import task_rules

RULES = task_rules("text_classification")
METRICS = {"accuracy": {"value": 0.5, "stderr": 0.25}}


def front(**teacher: Any) -> Any:
    text = model_card.front_matter(RULES, manifest(METRICS, teacher=teacher))
    assert text.startswith("---\n") and text.endswith("\n---")
    return yaml.safe_load(text.strip("-"))


def test_what_a_hub_reads_is_yaml_and_says_no_more_than_is_known() -> None:
    assert front() == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "tags": ["distillation", "neural-architecture-search", "ose"],
    }
    known = front(base_model="owner/yes", licence="no")  # which YAML would take for false
    assert (known["base_model"], known["license"]) == ("owner/yes", "no")


def test_what_was_disturbed_is_not_to_be_believed() -> None:
    fast = {"latency_p50_ms": 2.1}
    told = model_card.speed(RULES, manifest(METRICS, student=fast))
    assert "2.5 times as fast" in told and "whole model with its head, batch\n1 x 128 tokens" in told
    assert "believe" not in told
    told = model_card.speed(RULES, manifest(METRICS, student=fast | {"latency_flagged": True}))
    assert "**Do not believe it**: the latency of the student was disturbed." in told
    both = {"latency_flagged": True}
    assert "the teacher and the student" in model_card.speed(RULES, manifest(METRICS, student=both, teacher=both))


def test_the_recipe_and_the_data_are_told_without_folders() -> None:
    told = model_card.origin(manifest(METRICS, corpus={"train": [f"{i}.csv" for i in range(12)], "validation": []}))
    assert "9.csv and 2 more; held out: a part of the same" in told and "10.csv" not in told
    assert "20,000 steps of 64, learning rate 0.0005, temperature 1, losses soft_targets 1," in told
    assert "/home" not in told


def test_notes_stand_on_the_card_if_there_are_any() -> None:
    assert "- 2.5% of the texts were cut" in model_card.origin(manifest(METRICS, notes=["2.5% of the texts were cut"]))


@pytest.mark.parametrize("name", ["[x](http://e.vil)", "<img src=x>", "a\n# b", "| a | b |"])
def test_what_others_wrote_is_no_markup(name: str) -> None:
    written = manifest(METRICS, corpus={"train": [name], "validation": [name]}, notes=[name], device=name)
    written["job"]["name"] = name
    parts = (model_card.heading(RULES, written), model_card.speed(RULES, written), model_card.origin(written))
    for raw in ("](http:", "<img", "\n# b", "| a |"):
        assert not any(raw in part for part in parts), raw
