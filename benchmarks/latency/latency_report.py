"""What latency.csv says of the aims: a table for each method."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import Any

from ose.core.kendall import kendall_tau

Row = dict[str, Any]

_TEACHER = "teacher"
_SMALL = 0.1
"""Shapes below this share of the teacher's latency are held to a wider bound."""

_WIDENED = 0.03


def report(rows: Sequence[Row]) -> str:
    """Tables of ratios, absolute times, and how long measuring takes."""
    parts = [_ratios(rows, method) for method in ("turns", "former") if _of(rows, method=method)]
    return "\n\n".join([*parts, _absolute(rows), _durations(rows)]) + "\n"


def _of(rows: Iterable[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def _ratios(rows: Sequence[Row], method: str) -> str:
    """Ratios of a method to the teacher, held against the median of its own unflagged idle ones."""
    own = _with_ratios(_of(rows, method=method))
    truth = _by_shape(row for row in own if row["condition"] == "idle" and not row["is_flagged"])
    known = {name: statistics.median(values) for name, values in truth.items()}
    lines = [
        f"Ratios, `{method}`:\n",
        "| condition | s a shape | flagged | deviation over restarts, median (largest) | error above a tenth, largest | below, "
        "largest | tau, least |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for condition, seconds in dict.fromkeys((row["condition"], row["seconds_per_shape"]) for row in own):
        lines.append(_line(_of(own, condition=condition, seconds_per_shape=seconds), known))
    return "\n".join(lines)


def _with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Without the teacher; where a method knows no ratio, that of the times of one restart."""
    teachers = {_run(row): row for row in rows if row["architecture"] == _TEACHER}
    return [
        {
            **row,
            "ratio": row["ratio"] or row["p50_ms"] / teachers[_run(row)]["p50_ms"],
            "is_flagged": row["is_flagged"] or (row["ratio"] is None and teachers[_run(row)]["is_flagged"]),
        }
        for row in rows
        if row["architecture"] != _TEACHER
    ]


def _run(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("condition", "restart", "shapes", "seconds_per_shape"))


def _by_shape(rows: Iterable[Row], column: str = "ratio") -> dict[str, list[float]]:
    values: dict[str, list[float]] = {}
    for row in rows:
        if row[column] is not None:
            values.setdefault(row["architecture"], []).append(row[column])
    return values


def _line(rows: Sequence[Row], known: dict[str, float]) -> str:
    believed = [row for row in rows if not row["is_flagged"]]
    spreads = [statistics.stdev(each) / statistics.fmean(each) for each in _by_shape(believed).values() if each[1:]]
    errors = [(row["ratio"] / known[row["architecture"]] - 1, row) for row in believed if row["architecture"] in known]
    large = [abs(error) for error, row in errors if known[row["architecture"]] >= _SMALL]
    small = [abs(error) for error, row in errors if known[row["architecture"]] < _SMALL]
    restarts = [_by_shape(_of(believed, restart=each)) for each in sorted({row["restart"] for row in rows})]
    taus = [_tau(one, other) for one, other in combinations([*restarts, {k: [v] for k, v in known.items()}], 2)]
    flagged = statistics.fmean(bool(row["is_flagged"]) for row in rows)
    cells = [
        rows[0]["condition"],
        f"{rows[0]['seconds_per_shape']:g}",
        f"{flagged:.0%}",
        _told(spreads, statistics.median),
        _told(large),
        _told(small),
        f"{min((each for each in taus if each is not None), default=float('nan')):.3f}",
    ]
    return f"| {' | '.join(cells)} |"


def _told(values: Sequence[float], middle: Callable[[Sequence[float]], float] | None = None) -> str:
    if not values:
        return "-"
    return f"{max(values):.1%}" if middle is None else f"{middle(values):.1%} ({max(values):.1%})"


def _tau(one: dict[str, list[float]], other: dict[str, list[float]]) -> float | None:
    names = sorted(one.keys() & other.keys())
    return kendall_tau([one[name][0] for name in names], [other[name][0] for name in names]) if names[2:] else None


def _absolute(rows: Sequence[Row]) -> str:
    """Idle times beside the range that the plain script gave in the same minutes."""
    idle = _of(rows, condition="idle")
    outside = _by_shape(_of(idle, method="outside"), "p50_ms")
    lines = []
    for method in ("turns", "former"):
        believed = [row for row in _of(idle, method=method) if not row["is_flagged"] and row["architecture"] in outside]
        inside = [_is_inside(row["p50_ms"], outside[row["architecture"]]) for row in believed]
        if inside:
            lines.append(
                f"Absolute times, `{method}`, idle: {sum(inside)} of {len(inside)} inside the plain script's range, widened "
                f"by {_WIDENED:.0%}."
            )
    return "\n".join(lines)


def _is_inside(value: float, range_: Sequence[float]) -> bool:
    return min(range_) * (1 - _WIDENED) <= value <= max(range_) * (1 + _WIDENED)


def _durations(rows: Sequence[Row]) -> str:
    runs = {(row["method"], row["shapes"], row["condition"], row["restart"]): row for row in rows}
    lines = ["| method | shapes | condition | seconds, median |", "| --- | --- | --- | --- |"]
    for method, shapes, condition in dict.fromkeys((m, s, c) for m, s, c, _ in runs):
        same = [row["seconds"] for row in _of(runs.values(), method=method, shapes=shapes, condition=condition)]
        lines.append(f"| {method} | {shapes} | {condition} | {statistics.median(same):.1f} |")
    return "\n".join(lines)
