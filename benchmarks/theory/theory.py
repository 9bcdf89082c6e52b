"""What the method takes for granted, held against a table of searches and full trainings.

    python benchmarks/theory/theory.py results/fidelity_cpu2_2026-11-22 --output results/theory

Are parameters, operations, latency and final loss monotone in each axis? How far do their orders agree? What does a stride of epsilon
lose of the best score, against the published bound 1 - epsilon (arXiv 2010.08512)? Reads what `fidelity.py` wrote. Writes pairs.csv,
orders.csv, strides.csv and theory.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from benchmarks.fidelity.replay_table import Entry, Table, read_table
from benchmarks.shared.tables import write_csv
from ose.core.architecture import Architecture
from ose.core.score import ScoreRule, score

QUANTITIES: dict[str, Callable[[Entry], float]] = {
    "parameters": lambda entry: entry.measures.num_parameters,
    "operations": lambda entry: entry.flops,
    "latency": lambda entry: entry.measures.latency_ms,
    "final loss": lambda entry: -entry.measures.loss_nats,
}
"""More of each is expected of the larger one of two; a loss counts by how low it is."""

RULES = {
    "W": ScoreRule(),
    "W, exponents 0.5, 1, 2": ScoreRule(exponents=(0.5, 1.0, 2.0)),
    "excess": ScoreRule(formula="excess"),
}
STRIDES = (1, 2, 3, 4, 5, 6, 9)


def neighbours(table: Table) -> dict[str, list[tuple[Architecture, Architecture]]]:
    """Pairs that differ along one axis alone, by the axis; the smaller one first."""
    pairs: dict[str, list[tuple[Architecture, Architecture]]] = {}
    for first, second in combinations(table.truth, 2):
        differing = [name for name, value in asdict(first).items() if value != asdict(second)[name]]
        if len(differing) == 1:
            smaller, larger = sorted((first, second), key=lambda each: asdict(each)[differing[0]])
            pairs.setdefault(differing[0], []).append((smaller, larger))
    return pairs


def pair_rows(table: Table) -> list[dict[str, Any]]:
    """Of the pairs along each axis, the share in which the larger one has more."""
    return [
        {
            "axis": axis,
            "pairs": len(pairs),
            **{
                name: round(fmean(of(table.truth[larger]) > of(table.truth[smaller]) for smaller, larger in pairs), 3)
                for name, of in QUANTITIES.items()
            },
        }
        for axis, pairs in sorted(neighbours(table).items())
    ]


def order_rows(table: Table) -> list[dict[str, Any]]:
    """Spearman's correlation of each two quantities."""
    entries = list(table.truth.values())
    values = pd.DataFrame({name: [of(entry) for entry in entries] for name, of in QUANTITIES.items()})
    correlations = values.corr("spearman")
    return [{"quantity": name, **correlations.loc[name].round(3).to_dict()} for name in QUANTITIES]


def stride_rows(table: Table) -> list[dict[str, Any]]:
    """What the best of every epsilon-th member lacks of the best score of all: from the smallest member, and at worst."""
    rows = []
    for name, rule in RULES.items():
        scores = [score(table.truth[each.architecture].measures, table.teacher, rule).value for each in table.members]
        for stride in (each for each in STRIDES if each <= len(scores)):
            lacks = [1 - max(scores[first::stride]) / max(scores) for first in range(stride)]
            rows.append(
                {
                    "rule": name, "epsilon": stride, "lacking": round(lacks[0], 4), "worst_start": round(max(lacks), 4),
                    "bound": stride - 1,
                }
            )  # fmt: skip
    return rows


def markdown(tables: dict[str, list[dict[str, Any]]]) -> str:
    parts = []
    for title, rows in tables.items():
        lines = ["| " + " | ".join(rows[0]) + " |", "| --- " * len(rows[0]) + "|"]
        lines += ["| " + " | ".join(map(str, row.values())) + " |" for row in rows]
        parts.append("\n".join([f"## {title}", "", *lines, ""]))
    return "\n".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="searches.csv, truth.csv and teacher.json of fidelity.py")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    table = read_table(options.folder)
    found = {"pairs": pair_rows(table), "orders": order_rows(table), "strides": stride_rows(table)}
    for name, rows in found.items():
        write_csv(options.output / f"{name}.csv", rows)
    titles = {
        "Pairs along one axis: share in which the larger one has more": found["pairs"],
        "Spearman's correlation": found["orders"],
        "What a stride lacks of the best score": found["strides"],
    }
    (options.output / "theory.md").write_text(markdown(titles), encoding="utf8")
    print(markdown(titles))


if __name__ == "__main__":
    main()
