"""A task is a folder and its line in the table: a search with another one needs nothing else to know of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from opening.table import put_opening

METRICS = {"accuracy", "agreement", "pearson"}


@pytest.fixture(autouse=True)
def _table(monkeypatch: pytest.MonkeyPatch) -> None:
    put_opening(monkeypatch)


def test_a_search_with_another_task(ose, job: dict[str, Any], write, tmp_path: Path) -> None:
    assert ose("job", "run", write({**job, "task": "opening"})).status == 0
    [known] = json.loads(ose("job", "list", "--format", "json").out)
    board = json.loads(ose("leaderboard", known["id"], "--format", "json").out)
    assert known["teacher"]["task"] == known["spec"]["task"] == "opening"
    assert set(board["teacher"]["metrics"]) == METRICS
    assert [row["status"] for row in board["rows"]] == ["SUCCEEDED"] * 4
    assert len({row["loss_nats"] for row in board["rows"]}) > 2
    assert all(set(row["metrics"]) == METRICS for row in board["rows"])

    assert ose("distill", known["id"]).status == 0
    assert ose("export", known["id"], "--output", tmp_path / "student").status == 0
    assert "pipeline_tag: text-classification" in (tmp_path / "student" / "README.md").read_text()


@pytest.mark.long("`make test` has the keys of the data, and a search with another task")
def test_two_tasks_of_one_teacher_and_text_share_no_data(ose, job: dict[str, Any], write, tmp_path: Path) -> None:
    job["space"] = {**job["space"], "num_hidden_layers": [1], "hidden_size": [16]}
    for task in ("opening", "fill_mask"):
        assert ose("job", "run", write({**job, "task": task})).status == 0
    folders = [len(list((tmp_path / "home" / "artifacts" / kind).iterdir())) for kind in ("search-data", "anatomy")]
    assert folders == [2, 2]


def test_a_task_that_is_not_there_is_one_line(ose, job: dict[str, Any], write) -> None:
    refused = ose("job", "submit", write({**job, "task": "sing"}))
    assert refused.status == 2
    assert refused.complaint == "error: there is no task 'sing'; choose one of fill_mask, text_classification, opening"


def test_a_teacher_of_another_task_is_one_line(ose, job: dict[str, Any], write, tiny_roberta: Path) -> None:
    config = json.loads((tiny_roberta / "config.json").read_text())
    teacher = Path(job["teacher"]["model"]).with_name("classifier")
    teacher.mkdir(exist_ok=True)
    for file in tiny_roberta.iterdir():
        (teacher / file.name).write_bytes(file.read_bytes())
    config["architectures"] = ["RobertaForSequenceClassification"]
    (teacher / "config.json").write_text(json.dumps(config))
    refused = ose("job", "submit", write({**job, "teacher": {"model": str(teacher)}, "task": "opening"}))
    assert refused.status == 2
    assert refused.complaint.endswith(
        "holds a RobertaForSequenceClassification, a text classifier: its task is text_classification; opening needs a "
        "...ForMaskedLM model"
    )
