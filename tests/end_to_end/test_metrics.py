"""A metric is one function and its line in a table; everything else shows it without being told."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import torch
from services import serving
from starlette.testclient import TestClient

from ose.api.app import create_app
from ose.api.dependencies import ServerOptions
from ose.tasks.fill_mask.metrics import METRICS, Outputs
from ose.workspace import Workspace

NAME = "own_entropy_nats"


def own_entropy_nats(outputs: Outputs) -> torch.Tensor:
    """(B,): how unsure the model itself is, which no other metric asks."""
    return -(outputs.log_probs.exp() * outputs.log_probs).sum(-1).double().mean(dim=1)


@pytest.mark.long
def test_a_new_metric_shows_wherever_metrics_do(ose, job, write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METRICS, NAME, own_entropy_nats)
    assert ose("job", "run", write(job)).status == 0
    job_id = json.loads(ose("job", "list", "--format", "json").out)[0]["id"]

    board = json.loads(ose("leaderboard", job_id, "--format", "json").out)
    of_teacher = board["teacher"]["metrics"][NAME]
    assert of_teacher["value"] == pytest.approx(board["teacher"]["loss_nats"])  # its entropy is its loss to itself
    of_students = [row["metrics"][NAME] for row in board["rows"]]
    assert len({each["value"] for each in of_students}) == 4 and all(each["stderr"] > 0 for each in of_students)

    as_csv = ose("leaderboard", job_id, "--format", "csv").out
    told = [(float(row[NAME]), float(row[f"{NAME}_stderr"])) for row in csv.DictReader(io.StringIO(as_csv))]
    assert told == [(each["value"], each["stderr"]) for each in of_students]

    table = ose("leaderboard", job_id).out
    every = table.splitlines()
    [(first, titles)] = [(number, line) for number, line in enumerate(every) if line.split()[:1] == ["rank"]]
    lines = every[first + 1 :]
    assert NAME in titles.split()
    for line, each in zip(lines, (of_teacher, *of_students), strict=False):
        assert f"{each['value']:.3f}" in line.split()

    with Workspace(tmp_path / "home") as workspace:
        client = TestClient(create_app(workspace, ServerOptions()), base_url="http://localhost")
        answer = client.get(f"/api/v1/jobs/{job_id}/leaderboard").json()
        assert [row["metrics"][NAME] for row in answer["rows"]] == of_students
        assert client.get(f"/api/v1/jobs/{job_id}/leaderboard?format=csv").text == as_csv
        with serving(workspace, ServerOptions()) as url:
            assert ose("--server", url, "leaderboard", job_id).out == table

    distilled = ose("distill", job_id)
    assert distilled.status == 0 and f"{NAME} " in distilled.out
    assert ose("export", job_id, "--output", tmp_path / "student").status == 0
    manifest = json.loads((tmp_path / "student" / "ose_manifest.json").read_text())
    of_student = manifest["student"]["metrics"][NAME]
    assert manifest["teacher"]["metrics"][NAME] == of_teacher and of_student["stderr"] > 0
    card = (tmp_path / "student" / "README.md").read_text()
    name = NAME.replace("_", r"\_")
    [line] = [each for each in card.splitlines() if each.startswith(f"| {name} |")]
    assert line.index(f"{of_teacher['value']:.3f}") < line.rindex(f"{of_student['value']:.3f}")
