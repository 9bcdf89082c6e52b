"""Leaderboards without nesting: for CSV, and for tables."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import Any, TextIO

from ose.core.plain import plain
from ose.core.shown import csv_cell
from ose.leaderboard.references import ReferenceRow
from ose.leaderboard.row import LeaderboardRow


def write_csv(
    rows: Sequence[LeaderboardRow],
    metric_names: Sequence[str],
    stream: TextIO,
    references: Sequence[ReferenceRow] | None = None,
) -> None:
    """Write rows without nesting, under a header; nothing but an empty line if there are none.

    A text that a spreadsheet would run as a formula begins with an apostrophe.

    Args:
        rows: Candidates.
        metric_names: Metrics that have columns.
        stream: Where to.
        references: They follow the candidates, with their name in a column which those leave empty; None of a task
            without them, which has no such column.
    """
    flat = flat_rows(rows, metric_names) + [_flat_reference(each, metric_names) for each in references or ()]
    own = ("reference", "learns") if flat and references is not None else ()
    names = list(dict.fromkeys((*(name for row in flat for name in row), *own)))
    writer = csv.DictWriter(stream, fieldnames=names)
    writer.writerow({name: csv_cell(name) for name in names})
    writer.writerows({name: csv_cell(value) for name, value in row.items()} for row in flat)


def flat_rows(rows: Sequence[LeaderboardRow], metric_names: Sequence[str]) -> list[dict[str, Any]]:
    """Rows without nesting, for tables: `architecture.hidden_size`, `error.message`, `masked_accuracy_stderr`.

    Args:
        rows: Candidates.
        metric_names: Metrics that have a column, whether or not one of these rows has them.
    """
    flat = []
    for row in rows:
        values: dict[str, Any] = {}
        for name, value in plain(row).items():
            if name == "metrics":
                values |= _metric_columns(value, metric_names)
            elif isinstance(value, dict):
                values |= {f"{name}.{key}": inner for key, inner in value.items()}
            elif name == "error":
                values |= {"error.code": None, "error.message": None}
            elif isinstance(value, tuple):
                values[name] = list(value)
            else:
                values[name] = value
        flat.append(values)
    return flat


def _flat_reference(row: ReferenceRow, metric_names: Sequence[str]) -> dict[str, Any]:
    """The columns that candidates have, too, then its own."""
    values = plain(row)
    own = {"reference": values.pop("name"), "learns": values.pop("learns")}
    shape, error = values.pop("architecture") or {}, values.pop("error") or {}
    metrics = _metric_columns(values.pop("metrics"), metric_names)
    nested = {"architecture": shape, "error": error}
    flat = {f"{name}.{key}": inner for name, each in nested.items() for key, inner in each.items()}
    return {**values, **flat, **metrics, **own}


def _metric_columns(metrics: dict[str, dict[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in names:
        metric = metrics.get(name, {})
        columns |= {name: metric.get("value"), f"{name}_stderr": metric.get("stderr")}
    return columns
