"""Leaderboards without nesting: for CSV, and for tables."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, TextIO

from ose.core.plain import plain
from ose.core.shown import csv_cell
from ose.leaderboard.row import LeaderboardRow


def write_csv(rows: Sequence[LeaderboardRow], stream: TextIO) -> None:
    """Write rows without nesting, under a header; nothing but an empty line if there are none.

    A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    flat = flat_rows(rows)
    writer = csv.DictWriter(stream, fieldnames=list(flat[0]) if flat else [])
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in flat)


def flat_rows(rows: Sequence[LeaderboardRow]) -> list[dict[str, Any]]:
    """Rows without nesting, for tables: `architecture.hidden_size`, `error.message`."""
    flat = []
    for row in rows:
        values: dict[str, Any] = {}
        for name, value in plain(row).items():
            if isinstance(value, dict):
                values |= {f"{name}.{key}": inner for key, inner in value.items()}
            elif name == "error":
                values |= {"error.code": None, "error.message": None}
            elif isinstance(value, tuple):
                values[name] = list(value)
            else:
                values[name] = value
        flat.append(values)
    return flat
