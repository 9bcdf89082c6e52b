"""What people are told of a ranking below it.

Tests ose/cli/reference_table.py and ose/cli/measure_cells.py too.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from rich.console import Console
from services import add_finished_job
from stored import put_classified

from ose.cli import leaderboard_table
from ose.cli.leaderboard_table import print_leaderboard
from ose.core.job import ErrorDetail
from ose.core.measurement import Metric
from ose.core.reference import BAG_OF_WORDS, HALF_DEPTH, STATIC_EMBEDDING, Reference
from ose.core.score import ScoreRule
from ose.leaderboard.read import Leaderboard, LeaderboardQuery, read_leaderboard
from ose.store.database import open_store

NOT_JUDGED = {
    "architecture": {"num_hidden_layers": 4, "num_attention_heads": 4, "hidden_size": 128, "intermediate_size": 512},
    "num_parameters": 10**6,
    "latency_p50_ms": None,
    "latency_p90_ms": None,
    "latency_long_p50_ms": None,
    "latency_flagged": None,
    "loss_nats": None,
    "loss_stderr_nats": None,
    "metrics": {},
}


def _metrics(accuracy: float) -> dict[str, Metric]:
    return {"accuracy": Metric(value=accuracy, stderr=0.01), "agreement": Metric(value=accuracy, stderr=0.01)}


def _board_with_references(folder: Path) -> Leaderboard:
    references = [
        Reference(
            name=HALF_DEPTH,
            learns="teacher",
            architecture=builders.architecture(12, 12, 384, 1536),
            num_parameters=17_390_000,
            latency=builders.latency(123.0),
            loss_nats=0.5,
            loss_stderr_nats=0.01,
            metrics=_metrics(0.5),
        ),
        Reference(
            name=STATIC_EMBEDDING, learns="labels", error=ErrorDetail(code="non_finite_loss", message="the loss is nan")
        ),
        Reference(name=BAG_OF_WORDS, learns="labels", num_parameters=9, metrics=_metrics(0.8)),
    ]
    with closing(open_store(f"sqlite:///{folder}/store.db")) as store:
        put_classified(store, references, teacher=_metrics(0.9), student=_metrics(0.85))
        return read_leaderboard(store, "job-1")


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


@pytest.mark.parametrize("width", [80, 110, 160])
def test_reference_rows_stand_in_a_part_of_their_own_at_any_width(
    tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(leaderboard_table, "console", lambda: Console(markup=False, emoji=False, width=width))
    print_leaderboard(_board_with_references(tmp_path))
    lines = capsys.readouterr().out.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("not ranked"))
    assert [line[:12] for line in lines[place + 1 : place + 4]] == ["half depth  ", "static embed", "bag of words"]
    assert {"accuracy", "kept", "lead"} <= set(lines[1].split()) & set(lines[place].split())
    assert "85.0% ±1.0%" in lines[place - 1] and "94.4%" in lines[place - 1] and "50% ±" in lines[place - 1]
    assert "failed: the loss is nan" in lines[place + 2]
    assert "latencies begin at token ids, the bag of words' at words" in " ".join(" ".join(lines).split())
    assert max(len(line) for line in lines if "failed: " not in line) <= width


def test_a_board_whose_teacher_is_not_judged_yet_has_no_shares(tmp_path: Path, capsys) -> None:
    print_leaderboard(replace(_board_with_references(tmp_path), rows=(), references=(), teacher=NOT_JUDGED))
    assert "accuracy" not in capsys.readouterr().out
