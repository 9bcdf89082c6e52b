"""The verbs of the command line in Python.

Tests ose/workspace.py, ose/composition.py and ose/inputs/recipes.py too.
"""

from __future__ import annotations

import pytest

import ose as package
from ose.core.job import JobStatus
from ose.leaderboard.read import LeaderboardQuery


def test_a_job_from_python(job, tmp_path):
    with package.Workspace(tmp_path / "home") as workspace:
        submitted = workspace.submit(job)
        assert workspace.job(submitted.id[:4]).status is JobStatus.PENDING
        assert workspace.run(submitted.id).status is JobStatus.SUCCEEDED
        table = workspace.leaderboard(submitted.id, LeaderboardQuery(order_by="parameters")).to_frame()
        assert list(table["num_parameters"]) == sorted(table["num_parameters"])
        assert {"architecture.hidden_size", "latency_p50_ms", "score"} <= set(table.columns)
        distilled = workspace.distill(submitted.id, candidate=2, changes={"steps": 2})
        assert distilled.candidate_number == 2 and distilled.spec.steps == 2
        assert workspace.distill(submitted.id, candidate=2, changes={"steps": 2}) == distilled
        exported = workspace.export(submitted.id, tmp_path / "student", candidate=2)
        assert exported.max_logit_difference < 1e-5
        guesses = workspace.fill_mask(tmp_path / "student", "Return the <mask>.")
        assert 0 < sum(probability for _, probability in guesses) < 1
        with pytest.raises(package.OseError, match="preset"):
            workspace.distill(submitted.id, changes={"preset": "unheard-of"})


def test_spaces_from_python(tmp_path):
    workspace = package.Workspace(tmp_path / "home")
    assert {"bort", "minilm", "quickstart", "roberta-base"} <= {space.name for space in workspace.spaces()}
    assert workspace.space("bort").size == 300
    assert not (tmp_path / "home").exists()
