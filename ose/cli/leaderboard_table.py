"""A leaderboard for people: candidates by rank below their teacher, in the width of their terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from ose.cli.context import this_command
from ose.cli.text_tables import aligned_lines, console, title
from ose.core.architecture import Architecture
from ose.core.job import layers_text
from ose.core.measurement import metric_text
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

_METRIC_TITLES = {"masked_accuracy": "right", "masked_lm_loss_nats": None}
"""Short titles of metrics, None of those that are left to JSON and CSV. All others go by their names."""

_LONG = "long ms"
"""The median at the protocol's second length."""

_WORDS = {"architecture", "layers", ""}


def print_leaderboard(board: Leaderboard) -> None:
    """Print the table, and under it what its columns mean."""
    out = console()
    job = board.job
    metrics = [name for name in board.metric_names if _METRIC_TITLES.get(name, name)]
    lines = [_teacher_cells(board.teacher, metrics), *(_row_cells(row, metrics) for row in board.rows)]
    left_out = _LEFT_OUT_WHEN_NARROW if out.width < _WIDE else set()
    if not _layers_differ(board.rows):
        left_out = left_out | {"layers"}
    if job["latency"]["long_sequence_length"] is None:
        left_out = left_out | {_LONG}
    titles = [each for each in lines[0] if each not in left_out]
    table = aligned_lines([titles, *([cells[each] for each in titles] for cells in lines)], _WORDS)
    out.print(title(job["name"], f" ({job['id']}, {job['status'].lower()}), space {shown(job['space'], NAME)}"))
    out.print(Text("\n").join(map(Text, table, ["bold", *_styles(board)])), soft_wrap=True)
    if board.num_more:
        out.print(f"... and {board.num_more} more: {this_command()} leaderboard {job['id']}")
    out.print(
        f"* on the Pareto front; ! latency too noisy to believe. Loss: cross-entropy to the teacher, "
        f"± standard error. Latency: {shown(_protocol(job))}.",
        style="dim",
    )
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


def _layers_differ(rows: Sequence[LeaderboardRow]) -> bool:
    """Whether candidates of one depth keep different layers; of different depths they always do."""
    return len({(row.architecture.num_hidden_layers, row.layers) for row in rows}) > len(
        {row.architecture.num_hidden_layers for row in rows}
    )


def _styles(board: Leaderboard) -> list[str]:
    return ["cyan", *("" if row.rank is not None else "dim" for row in board.rows)]


def _teacher_cells(teacher: dict[str, Any], metrics: Sequence[str]) -> dict[str, str]:
    measured = {name: metric["value"] for name, metric in teacher["metrics"].items()}
    return {
        "rank": "teacher",
        "group": "",
        "no.": "",
        "architecture": str(Architecture(**teacher["architecture"])),
        "layers": "",
        "params": _millions(teacher["num_parameters"]),
        "p50 ms": _latency(teacher["latency_p50_ms"], teacher["latency_flagged"]),
        "p90 ms": _figure(teacher["latency_p90_ms"], 2),
        _LONG: _figure(teacher["latency_long_p50_ms"], 2),
        "loss": _figure(teacher["loss_nats"], 3),
        "±": _figure(teacher["loss_stderr_nats"], 3),
        **_metric_cells(measured, metrics),
        "score": "",
        "score ±": "",
        "": "",
    }


def _row_cells(row: LeaderboardRow, metrics: Sequence[str]) -> dict[str, str]:
    measured = {name: metric.value for name, metric in row.metrics.items()}
    return {
        "rank": "" if row.rank is None else str(row.rank),
        "group": "" if row.group is None else str(row.group),
        "no.": str(row.candidate),
        "architecture": str(row.architecture),
        "layers": "" if row.layers is None else layers_text(row.layers),
        "params": _millions(row.num_parameters),
        "p50 ms": _latency(row.latency_p50_ms, row.latency_flagged),
        "p90 ms": _figure(row.latency_p90_ms, 2),
        _LONG: _figure(row.latency_long_p50_ms, 2),
        "loss": _figure(row.loss_nats, 3),
        "±": _figure(row.loss_stderr_nats, 3),
        **_metric_cells(measured, metrics),
        "score": _figure(row.score, 4),
        "score ±": _figure(row.score_stderr, 4),
        "": _remark(row),
    }


def _metric_cells(measured: Mapping[str, float], names: Sequence[str]) -> dict[str, str]:
    texts = {name: metric_text(name, value) for name, value in measured.items()}
    return {_METRIC_TITLES.get(name) or name: texts.get(name, "") for name in names}


def _remark(row: LeaderboardRow) -> str:
    if row.error is not None:
        return f"{row.status.lower()}: {headline(row.error.message)}"
    return "*" if row.is_pareto else ""


def _millions(count: int) -> str:
    return f"{count / 1e6:,.2f}M"


def _latency(value: float | None, is_flagged: bool | None) -> str:
    return _figure(value, 2) + ("!" if is_flagged else "")


def _figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _protocol(job: dict[str, Any]) -> str:
    latency = job["latency"]
    longer = latency["long_sequence_length"]
    second = "" if longer is None else f" ({_LONG}: {longer})"
    shape = f"batch {latency['batch_size']} x {latency['sequence_length']} tokens{second}"
    return f"{shape}, {latency['dtype']}, {latency['threads']} thread(s), {job['device'] or latency['device']}"
