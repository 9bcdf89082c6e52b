"""The CSV files and the teacher of a report."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ose.core.score import Measures

_MOST_CHARACTERS = 10**9
"""Of a cell: one holds all losses of a candidate."""


def write_csv(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows that have the columns of the first one, in a folder that is made if need be."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_csv(file: Path) -> list[dict[str, str]]:
    """Read what `write_csv` wrote."""
    usual = csv.field_size_limit(_MOST_CHARACTERS)  # of the whole process
    try:
        with file.open(newline="", encoding="utf8") as stream:
            return list(csv.DictReader(stream))
    finally:
        csv.field_size_limit(usual)


def read_teacher(folder: Path) -> Measures:
    """The teacher.json that benchmarks/fidelity/fidelity.py writes."""
    told = json.loads((folder / "teacher.json").read_text(encoding="utf8"))
    return Measures(
        num_parameters=told["num_parameters"], latency_ms=told["latency_p50_ms"], loss_nats=told["entropy_nats"]
    )
