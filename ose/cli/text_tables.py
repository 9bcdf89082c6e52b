"""Tables for people. What stands in them are often strangers' words, so nothing on this console is markup."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ose.core.shown import NAME, headline, shown, shown_block

_MIN_WIDTH = 110
"""Where output is no terminal, lines are as long as the table needs."""


def console() -> Console:
    """Standard output."""
    plain = Console(markup=False, emoji=False)
    if plain.is_terminal:
        return plain
    return Console(markup=False, emoji=False, width=max(plain.width, _MIN_WIDTH))


class ShownTable(Table):
    """A table whose cells are text alone."""

    def add_row(self, *cells: object, **options: Any) -> None:
        """Add a row of texts, as they may be shown."""
        super().add_row(*(Text(shown(cell, NAME)) for cell in cells), **options)


def title(name: object, rest: str) -> Text:
    """A line that begins with a name."""
    return Text.assemble((shown(name, NAME), "bold"), shown_block(rest))


def plain_table(*titles: str, justify: Literal["left", "right"] = "left") -> ShownTable:
    """A table without lines."""
    table = ShownTable(box=None, header_style="bold", pad_edge=False)
    for each in titles:
        table.add_column(each, justify=justify)
    return table


def aligned_lines(rows: Sequence[Sequence[str]], words: Collection[str]) -> list[str]:
    """Rows as lines of equal columns, the first row their titles; a tenth of the time that a table of rich takes.

    Args:
        rows: Titles, then cells.
        words: Titles of the columns that begin left; the others are figures and end right.
    """
    rows = [[shown(cell, NAME) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    places = [str.ljust if each in words else str.rjust for each in rows[0]]
    return [
        " ".join(place(cell, width) for place, cell, width in zip(places, row, widths, strict=True)).rstrip()
        for row in rows
    ]


def print_jobs(jobs: Sequence[dict[str, Any]]) -> None:
    """One job a line."""
    table = plain_table("id", "name", "owner", "status", "candidates", "submitted", "error")
    for job in jobs:
        counts = ", ".join(f"{count} {status.lower()}" for status, count in job["candidates"].items())
        error = headline(job["error"]["message"]) if job["error"] else ""
        owner = job["owner"]["name"] if job["owner"] else ""
        submitted = (job["created_at"] or "")[:19]
        table.add_row(job["id"], job["name"], owner, job["status"], counts or "none yet", submitted, error)
    console().print(table)
