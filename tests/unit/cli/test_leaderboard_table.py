"""What people are told of a ranking below it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from services import add_finished_job

from ose.cli.leaderboard_table import print_leaderboard
from ose.core.score import ScoreRule
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.store.database import open_store


@pytest.mark.parametrize(
    ("rule", "group", "told"),
    [
        (ScoreRule(), "5", "other sequences by a tau of 1.00"),
        (
            ScoreRule(exponents=(0, 0, 0)),
            "1",
            "5 candidates do not differ at 10 steps: ose job extend job-1 --steps 30",
        ),
    ],
)
def test_groups_and_what_they_mean_stand_in_the_width_of_a_terminal(
    tmp_path: Path, capsys, rule: ScoreRule, group: str, told: str
) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        add_finished_job(store)
        print_leaderboard(read_leaderboard(store, "job-1", LeaderboardQuery(rule=rule)))
    lines = capsys.readouterr().out.splitlines()
    assert dict(zip(lines[1].split(), lines[7].split(), strict=False))["group"] == group
    assert told in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize(("formula", "is_told"), [("excess", True), ("w", False)])
def test_errors_that_are_upper_bounds_are_told(tmp_path: Path, capsys, formula: str, is_told: bool) -> None:
    """The job of the builders has no entropies, as jobs from before they were stored."""
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        add_finished_job(store)
        board = read_leaderboard(store, "job-1", LeaderboardQuery(rule=ScoreRule(formula=formula)))
    print_leaderboard(board)
    assert (
        ("upper bounds" in capsys.readouterr().out)
        == is_told
        == board.to_json()["job"]["score"]["stderr_is_upper_bound"]
    )
