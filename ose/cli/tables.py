"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from ose.core.architecture import Architecture
from ose.service.leaderboard import Leaderboard, LeaderboardRow

_MIN_WIDTH = 110
"""Where output is no terminal, lines are as long as the table needs."""


def console() -> Console:
    """Standard output."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=max(plain.width, _MIN_WIDTH))


def plain_table(*titles: str, justify: Literal["left", "right"] = "left") -> Table:
    """A table without lines."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in titles:
        table.add_column(title, justify=justify)
    return table


def print_leaderboard(board: Leaderboard) -> None:
    """Candidates by rank below their teacher; what the columns mean stands under the table."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("no.", justify="right")
    table.add_column("architecture")
    for title in ("parameters", "p50 ms", "p90 ms", "loss nats", "right", "score"):
        table.add_column(title, justify="right")
    table.add_column("")
    table.add_row(*_teacher_cells(board.teacher), style="cyan")
    for row in board.rows:
        table.add_row(*_row_cells(row), style=None if row.rank is not None else "dim")
    job = board.job
    out = console()
    out.print(f"[bold]{job['name']}[/bold] ({job['id']}, {job['status'].lower()}), space {job['space']}")
    out.print(table)
    out.print(
        f"[dim]* on the Pareto front; ! latency too noisy to believe. Loss: cross-entropy to the teacher, "
        f"± standard error. Latency: {_protocol(job)}.[/dim]",
        soft_wrap=True,
    )


def print_jobs(jobs: Sequence[dict[str, Any]]) -> None:
    """One job a line."""
    table = plain_table("id", "name", "status", "candidates", "submitted", "error")
    for job in jobs:
        counts = ", ".join(f"{count} {status.lower()}" for status, count in job["candidates"].items())
        error = job["error"]["message"].splitlines()[0] if job["error"] else ""
        table.add_row(job["id"], job["name"], job["status"], counts or "none yet", job["created_at"][:19], error)
    console().print(table)


def number(value: float | None, digits: int) -> str:
    """A figure, or nothing."""
    return "" if value is None else f"{value:,.{digits}f}"


def _teacher_cells(teacher: dict[str, Any]) -> list[str]:
    architecture = Architecture(**teacher["architecture"])
    accuracy = teacher["masked_accuracy"]
    return [
        "",
        "",
        f"{architecture} (teacher)",
        f"{teacher['num_parameters']:,}",
        number(teacher["latency_p50_ms"], 2) + ("!" if teacher["latency_flagged"] else ""),
        number(teacher["latency_p90_ms"], 2),
        number(teacher["loss_nats"], 3),
        "" if accuracy is None else f"{accuracy:.1%}",
        "",
        "",
    ]


def _row_cells(row: LeaderboardRow) -> list[str]:
    failed = f"{row.status.lower()}: {row.error['message']}" if row.error else ""
    loss = "" if row.loss_nats is None else f"{row.loss_nats:.3f} ± {row.loss_stderr_nats:.3f}"
    scored = "" if row.score is None else f"{row.score:.4f} ± {row.score_stderr:.4f}"
    return [
        "" if row.rank is None else str(row.rank),
        str(row.candidate),
        str(row.architecture),
        f"{row.num_parameters:,}",
        number(row.latency_p50_ms, 2) + ("!" if row.latency_flagged else ""),
        number(row.latency_p90_ms, 2),
        loss,
        "" if row.masked_accuracy is None else f"{row.masked_accuracy:.1%}",
        scored,
        ("*" if row.is_pareto else "") + failed.splitlines()[0] if failed else ("*" if row.is_pareto else ""),
    ]


def _protocol(job: dict[str, Any]) -> str:
    latency = job["latency"]
    shape = f"batch {latency['batch_size']} x {latency['sequence_length']} tokens"
    return f"{shape}, {latency['dtype']}, {latency['threads']} thread(s), {job['device'] or latency['device']}"
