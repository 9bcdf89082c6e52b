"""Candidates that go on: from round to round of a search, and into a job of their own; interrupted or not.

Tests ose/core/progress.py too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ose.core.job import Candidate, CandidateStatus, JobStatus
from ose.core.progress import Silence
from ose.workspace import Workspace


class Interrupting(Silence):
    """A person who loses patience at some step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def learnt(workspace: Workspace, job_id: str) -> list[tuple[Any, ...]]:
    """All that was trained, to the last bit; latencies, and scores with them, are measured anew if they are noisy."""

    def of(candidate: Candidate) -> tuple[Any, ...]:
        found = candidate.evaluation
        assert found is not None
        losses = found.loss_nats, found.sequence_losses_nats, found.training_losses_nats
        return candidate.number, candidate.status, candidate.architecture, candidate.phases, losses

    return [of(candidate) for candidate in workspace.store.candidates(job_id)]


@pytest.fixture
def halving(job: dict[str, Any]) -> dict[str, Any]:
    """Rounds of 2, 4 and 8 steps; scores do not depend on what else the machine does."""
    job["search"] |= {"strategy": "halving", "steps": 8, "min_steps": 2, "eta": 2}
    return {**job, "score": {"exponents": [1, 0, 1]}}


@pytest.mark.long("`make test` extends a job on the service, and rounds in one process")
def test_leaders_are_extended_to_the_same_numbers_whatever_was_kept(
    ose: Callable[..., Any], job, write, tmp_path: Path
) -> None:
    job["search"]["keep_checkpoints"] = 2
    first = ose("job", "run", write(job)).err.split()[1]
    refused = ose("job", "extend", first, "--steps", 2)
    assert refused.status == 2 and "has 2 steps already" in refused.complaint
    extended = ose("job", "extend", first, "--steps", 5, "--top", 3, "--format", "json")
    assert extended.status == 0, extended.err
    board = json.loads(extended.out)
    assert [row["num_steps"] for row in board["rows"]] == [5, 5, 5]

    with Workspace(tmp_path / "home") as workspace:
        best = workspace.leaderboard(first).rows[:3]
        candidates = workspace.store.candidates(board["job"]["id"])
        assert {each.architecture for each in candidates} == {row.architecture for row in best}
        assert sorted(begin_of(each) for each in candidates) == [0, 2, 2]
        for candidate in candidates:
            assert curve(candidate)[:2] == curve(same_in(workspace, first, candidate))
        shutil.rmtree(workspace.artifacts / "checkpoints")
        again = workspace.extend(first, 5, top=3)
    for at in (5, 2):
        with Workspace(tmp_path / "home", Interrupting(at)) as workspace, pytest.raises(KeyboardInterrupt):
            workspace.run(again.id)
    with Workspace(tmp_path / "home") as workspace:
        assert workspace.run(again.id).status is JobStatus.SUCCEEDED
        assert {begin_of(each) for each in workspace.store.candidates(again.id)} == {0}
        assert learnt(workspace, again.id) == learnt(workspace, board["job"]["id"])


def begin_of(candidate: Candidate) -> int:
    assert candidate.evaluation is not None
    return candidate.evaluation.first_step


def curve(candidate: Candidate) -> tuple[float, ...]:
    assert candidate.evaluation is not None
    return candidate.evaluation.training_losses_nats


def same_in(workspace: Workspace, job_id: str, candidate: Candidate) -> Candidate:
    return next(each for each in workspace.store.candidates(job_id) if each.architecture == candidate.architecture)


@pytest.mark.long
def test_an_interrupted_halving_gives_the_same_numbers(halving, tmp_path: Path) -> None:
    with Workspace(tmp_path / "whole") as workspace:
        whole = workspace.run(workspace.submit(halving).id)
        expected = learnt(workspace, whole.id)
        assert {CandidateStatus.SUPERSEDED, CandidateStatus.SUCCEEDED} == {status for _, status, *_ in expected}
        shown = workspace.leaderboard(whole.id).rows
        assert len(shown) == sum(status is CandidateStatus.SUCCEEDED for _, status, *_ in expected)
    shutil.copytree(tmp_path / "whole" / "artifacts" / "search-data", tmp_path / "cut" / "artifacts" / "search-data")
    with Workspace(tmp_path / "cut") as workspace:
        job = workspace.submit(halving)
    for at in (10, 12, 4):
        with Workspace(tmp_path / "cut", Interrupting(at)) as workspace, pytest.raises(KeyboardInterrupt):
            workspace.run(job.id)
    with Workspace(tmp_path / "cut") as workspace:
        assert workspace.run(job.id).status is JobStatus.SUCCEEDED
        assert learnt(workspace, job.id) == expected
