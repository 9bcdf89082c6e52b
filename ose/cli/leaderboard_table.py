"""A leaderboard for people: candidates by rank below their teacher, in the width of their terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ose.cli.context import this_command
from ose.cli.measure_cells import METRIC_TITLES, figure, latency, metric_cells, millions
from ose.cli.reference_table import HOW_TO_READ, print_references
from ose.cli.text_tables import aligned_lines, console, title
from ose.core.architecture import Architecture
from ose.core.job import layers_text
from ose.core.measurement import Metric
from ose.core.metric_names import SHARE_KEPT, SHARE_OF_LEAD
from ose.core.shown import NAME, headline, shown
from ose.core.trust import Trust
from ose.leaderboard.confidence import hint
from ose.leaderboard.read import Leaderboard
from ose.leaderboard.row import LeaderboardRow

_LEFT_OUT_WHEN_NARROW = {"p90 ms", "score ±"}
_WIDE = 104
"""Columns of a terminal below which spreads that can be read elsewhere are left out."""

_UPPER_BOUND = (
    "Errors of scores are upper bounds: this job ran before the teacher's entropy was stored for each sequence."
)

_OF_STEPS = (
    "Candidates were trained for different steps: a loss is to be compared with those of as many steps alone, and only "
    "they have groups."
)

_LONG = "long ms"
"""The median at the protocol's second length."""

_STEPS = "steps"

_WORDS = {"architecture", "layers", ""}

_AGREEMENT = "agreement"
_VERY_WIDE = 124
_NARROW = 110
_ELSEWHERE_WHEN_NARROW = {"group", "loss", "±", _AGREEMENT, "score"}
"""Of a task with reference rows, whose first metric says more of a candidate than they do."""


def print_leaderboard(board: Leaderboard) -> None:
    """Print the table, and under it what its columns mean."""
    out = console()
    job = board.job
    metrics = _shown_metrics(board)
    lines = [_teacher_cells(board.teacher, metrics), *(_row_cells(row, metrics) for row in board.rows)]
    left_out = _left_out(out.width, has_references=board.references is not None)
    if not _layers_differ(board.rows):
        left_out = left_out | {"layers"}
    if not _steps_differ(board.rows):
        left_out = left_out | {_STEPS}
    if job["latency"]["long_sequence_length"] is None:
        left_out = left_out | {_LONG}
    titles = [each for each in lines[0] if each not in left_out]
    table = aligned_lines([titles, *([cells[each] for each in titles] for cells in lines)], _WORDS)
    out.print(title(job["name"], f" ({job['id']}, {job['status'].lower()}), space {shown(job['space'], NAME)}"))
    for line in board.headlines:
        out.print(f"{shown(line[0].upper() + line[1:])}.", style="yellow", soft_wrap=True)
    out.print(Text("\n").join(map(Text, table, ["bold", *_styles(board)])), soft_wrap=True)
    if board.num_more:
        out.print(f"... and {board.num_more} more: {this_command()} leaderboard {job['id']}")
    if board.references:
        print_references(out, board.references, metrics, is_narrow=out.width < _NARROW)
    out.print(
        f"* on the Pareto front; ! latency too noisy to believe. Loss: cross-entropy to the teacher, "
        f"± standard error. Latency: {shown(_protocol(job))}.",
        style="dim",
    )
    if _steps_differ(board.rows):
        out.print(_OF_STEPS, style="dim")
    if board.references is not None:
        out.print(HOW_TO_READ, style="dim")
    if job["score"]["stderr_is_upper_bound"]:
        out.print(_UPPER_BOUND, style="dim")
    for note in job["notes"]:
        out.print(f"Note: {shown(note)}.", style="dim")
    if board.trust is not None:
        _print_trust(out, job["id"], board.trust)


def _print_trust(out: Console, job_id: str, trust: Trust) -> None:
    """How far the order above can be trusted, and what to do about it."""
    order = (
        ""
        if trust.expected_tau is None
        else (
            f" Their order is expected to agree with one made on other sequences by a tau of {trust.expected_tau:.2f}."
        )
    )
    out.print(
        f"Group: no significant difference (two standard errors, paired), among the first {trust.num_leaders}."
        f"{order} What more training or another seed would change is not in it.",
        style="dim",
    )
    advice = hint(job_id, trust, this_command())
    if advice is not None:
        out.print(shown(advice), soft_wrap=True)


def _shown_metrics(board: Leaderboard) -> dict[str, bool]:
    """Metrics that have a column, and whether with their errors.

    All of a task without reference rows; of others the first, its shares, and the agreement with the teacher.
    """
    names = [name for name in board.metric_names if METRIC_TITLES.get(name, name)]
    if board.references is None:
        return dict.fromkeys(names, False)
    with_errors = (*names[:1], SHARE_OF_LEAD)
    shown = dict.fromkeys((*names[:1], SHARE_KEPT, SHARE_OF_LEAD, _AGREEMENT))
    return {name: name in with_errors for name in shown if name in names}


def _left_out(width: int, *, has_references: bool) -> set[str]:
    if not has_references:
        return _LEFT_OUT_WHEN_NARROW if width < _WIDE else set()
    narrow = _ELSEWHERE_WHEN_NARROW if width < _NARROW else set()
    return narrow | (_LEFT_OUT_WHEN_NARROW if width < _VERY_WIDE else set())


def _layers_differ(rows: Sequence[LeaderboardRow]) -> bool:
    """Whether candidates of one depth keep different layers; of different depths they always do."""
    return len({(row.architecture.num_hidden_layers, row.layers) for row in rows}) > len(
        {row.architecture.num_hidden_layers for row in rows}
    )


def _steps_differ(rows: Sequence[LeaderboardRow]) -> bool:
    """Whether candidates were trained for different numbers of steps, so that losses are no figures of one thing."""
    return len({row.num_steps for row in rows if row.loss_nats is not None}) > 1


def _styles(board: Leaderboard) -> list[str]:
    return ["cyan", *("" if row.rank is not None else "dim" for row in board.rows)]


def _teacher_cells(teacher: dict[str, Any], metrics: Mapping[str, bool]) -> dict[str, str]:
    measured = {name: Metric(**metric) for name, metric in teacher["metrics"].items()}
    return {
        "rank": "teacher",
        "group": "",
        "no.": "",
        "architecture": str(Architecture(**teacher["architecture"])),
        "layers": "",
        "params": millions(teacher["num_parameters"]),
        _STEPS: "",
        "p50 ms": latency(teacher["latency_p50_ms"], teacher["latency_flagged"]),
        "p90 ms": figure(teacher["latency_p90_ms"], 2),
        _LONG: figure(teacher["latency_long_p50_ms"], 2),
        "loss": figure(teacher["loss_nats"], 3),
        "±": figure(teacher["loss_stderr_nats"], 3),
        **metric_cells(measured, metrics),
        "score": "",
        "score ±": "",
        "": "",
    }


def _row_cells(row: LeaderboardRow, metrics: Mapping[str, bool]) -> dict[str, str]:
    return {
        "rank": "" if row.rank is None else str(row.rank),
        "group": "" if row.group is None else str(row.group),
        "no.": str(row.candidate),
        "architecture": str(row.architecture),
        "layers": "" if row.layers is None else layers_text(row.layers),
        "params": millions(row.num_parameters),
        _STEPS: str(row.num_steps),
        "p50 ms": latency(row.latency_p50_ms, row.latency_flagged),
        "p90 ms": figure(row.latency_p90_ms, 2),
        _LONG: figure(row.latency_long_p50_ms, 2),
        "loss": figure(row.loss_nats, 3),
        "±": figure(row.loss_stderr_nats, 3),
        **metric_cells(row.metrics, metrics),
        "score": figure(row.score, 4),
        "score ±": figure(row.score_stderr, 4),
        "": _remark(row),
    }


def _remark(row: LeaderboardRow) -> str:
    if row.error is not None:
        return f"{row.status.lower()}: {headline(row.error.message)}"
    return "*" if row.is_pareto else ""


def _protocol(job: dict[str, Any]) -> str:
    latency = job["latency"]
    longer = latency["long_sequence_length"]
    second = "" if longer is None else f" ({_LONG}: {longer})"
    shape = f"batch {latency['batch_size']} x {latency['sequence_length']} tokens{second}"
    return f"{shape}, {latency['dtype']}, {latency['threads']} thread(s), {job['device'] or latency['device']}"
