"""What a classifier's search is held against, from a CSV file to the board; nothing takes it for a candidate."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from classifiers import put_labelled

NAMES = ["half_depth", "labels_alone", "static_embedding", "bag_of_words"]


@pytest.fixture
def classifier_job(tmp_path: Path, tiny_classifier: Path, real_text: list[str]) -> dict[str, Any]:
    spec, _ = put_labelled(tmp_path, real_text)
    return {
        "name": "brackets",
        "teacher": {"model": str(tiny_classifier), "as_is": True},
        "corpus": {
            "train": list(spec.train),
            "validation": list(spec.validation),
            "columns": {"text": "sentence", "label": "kind"},
            "sequence_length": 32,
        },
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [2],
            "hidden_size": [16],
            "intermediate_size": [24],
        },
        "search": {"steps": 3, "held_out_sequences": 40, "hyperparameters": [{"batch_size": 8}]},
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
        "distillation": {"steps": 2, "batch_size": 8},
    }


def test_they_stand_beside_the_candidates_and_are_none(ose, classifier_job, write, tmp_path: Path) -> None:
    run = ose("job", "run", write(classifier_job))
    assert run.status == 0
    [job] = json.loads(ose("job", "list", "--format", "json").out)
    assert job["candidates"] == {"SUCCEEDED": 2}
    board = json.loads(ose("leaderboard", job["id"], "--format", "json").out)
    assert [each["name"] for each in board["references"]] == NAMES
    assert all(each["error"] is None and each["latency_p50_ms"] > 0 for each in board["references"])
    assert all(0 <= each["metrics"]["accuracy"]["value"] <= 1 for each in board["references"])
    assert sorted(row["rank"] for row in board["rows"]) == [1, 2]
    assert all("share_kept" in row["metrics"] for row in board["rows"])

    rows = list(csv.DictReader(io.StringIO(ose("leaderboard", job["id"], "--format", "csv").out)))
    assert [row["reference"] for row in rows] == ["", "", *NAMES]
    assert "half depth" in ose("leaderboard", job["id"]).out

    assert ose("distill", job["id"]).status == 0
    assert ose("export", job["id"], "--output", tmp_path / "student").status == 0
    config = json.loads((tmp_path / "student" / "config.json").read_text())
    assert config["hidden_size"] == 16, "the student is a candidate"
    assert ose("distill", job["id"], "--candidate", "3").status != 0


def test_a_job_may_leave_them_out(ose, classifier_job, write) -> None:
    assert ose("job", "run", write({**classifier_job, "references": "off"})).status == 0
    [job] = json.loads(ose("job", "list", "--format", "json").out)
    board = json.loads(ose("leaderboard", job["id"], "--format", "json").out)
    assert board["references"] == []
    assert all("share_of_lead" not in row["metrics"] for row in board["rows"])


@pytest.mark.parametrize("value", ["sometimes", False])
def test_anything_else_is_refused_in_one_line(ose, classifier_job, write, value: object) -> None:
    refused = ose("job", "submit", write({**classifier_job, "references": value}))
    assert refused.status == 2
    assert "references" in refused.complaint and "\n" not in refused.complaint
