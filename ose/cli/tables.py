"""Tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

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


def print_jobs(jobs: Sequence[dict[str, Any]]) -> None:
    """One job a line."""
    table = plain_table("id", "name", "status", "candidates", "submitted", "error")
    for job in jobs:
        counts = ", ".join(f"{count} {status.lower()}" for status, count in job["candidates"].items())
        error = job["error"]["message"].splitlines()[0] if job["error"] else ""
        table.add_row(job["id"], job["name"], job["status"], counts or "none yet", job["created_at"][:19], error)
    console().print(table)
