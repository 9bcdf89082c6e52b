"""What the study of classifiers has found so far: tables of students, the claim, the aims, the order, and raw figures.

    python benchmarks/classifiers/study_report.py --splits FOLDER --output FOLDER --report results/NAME

FOLDER is the study's. Writes study.md, students.csv, candidates.csv, order.csv, layers.csv and latencies.csv. What is not
done yet is named, and figures of the official parts stand there only once these were looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.classifiers.all_units import num_members
from benchmarks.classifiers.found import Found
from benchmarks.classifiers.order_parts import language_text, order_text
from benchmarks.classifiers.report_parts import aims_text, claim_text, longer_text, students_text, teachers_text
from benchmarks.classifiers.sizes import FULL, StudySizes
from benchmarks.shared.tables import write_csv
from ose.core.job import layers_text

Rows = list[dict[str, Any]]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=Path, required=True, help="what splits.py wrote")
    parser.add_argument("--output", type=Path, required=True, help="of the study")
    parser.add_argument("--report", type=Path, required=True)
    return parser.parse_args()


def write_report(found: Found, folder: Path) -> str:
    """All files; returns the text."""
    for name, rows in tables(found).items():
        if rows:
            write_csv(folder / f"{name}.csv", rows)
    parts = [
        ("Teachers", teachers_text),
        ("Students at one latency", students_text),
        ("The claim", claim_text),
        ("Aims", aims_text),
        ("What more steps add", longer_text),
        ("Does the order hold?", order_text),
        ("Searching on the task, and on the language model", language_text),
    ]
    text = "\n".join(f"## {title}\n\n{told(found)}\n" for title, told in parts)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.md").write_text(text, encoding="utf8")
    return text


def tables(found: Found) -> dict[str, Rows]:
    """Raw figures, by the file's name."""
    return {
        "students": list(_students(found)),
        "candidates": list(_candidates(found)),
        "order": _order(found),
        "layers": list(_layers(found)),
        "latencies": [row for task, target in found.cells() for row in found.latency_rows(task, target)],
    }


def _students(found: Found) -> Iterator[dict[str, Any]]:
    for task, target in found.cells():
        for name, seeds in found.students(task, target).items():
            shape = found.results[f"{task}/{target}/{name}"]
            for unit in seeds:
                result = found.results[unit]
                yield {
                    "task": task, "target": target, "student": name, "unit": unit, **_shape(shape),
                    "num_parameters": shape["num_parameters"], "search_loss_nats": shape["loss_nats"],
                    "steps": result["steps"], "wall_time_s": result["wall_time_s"], "loss_nats": result["loss_nats"],
                    "loss_stderr_nats": result["loss_stderr_nats"],
                    **{f"accuracy_{part}": _accuracy(hits) for part, hits in found.all_hits(task, unit).items()},
                }  # fmt: skip


def _accuracy(hits: str | None) -> float | None:
    return None if hits is None else hits.count("1") / len(hits)


def _shape(row: dict[str, Any]) -> dict[str, Any]:
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    kept = row["layers"]
    told = None if kept is None else layers_text(kept if isinstance(kept, str) else tuple(kept))
    return {**{name: row[name] for name in names}, "layers": told}


def _candidates(found: Found) -> Iterator[dict[str, Any]]:
    for task in (*found.sizes.tasks, "order", "language"):
        search = found.get(f"{task}/search")
        for row in search["candidates"] if search else ():
            yield {"search": task, **{name: value for name, value in row.items() if name != "item_losses_nats"}}


def _order(found: Found) -> Rows:
    units = [f"order/{index}" for index in range(num_members(found.sizes.order_space))]
    rows = [(unit, row) for unit in units if (row := found.get(unit))]
    return [
        {
            "unit": unit, **_shape(row), "flops": row["flops"], "loss_nats": row["loss_nats"],
            "accuracy_validation": _accuracy(row["hits"]), "wall_time_s": row["wall_time_s"],
        }
        for unit, row in rows
    ]  # fmt: skip


def _layers(found: Found) -> Iterator[dict[str, Any]]:
    for task in found.sizes.tasks:
        report = found.get(f"{task}/layers")
        for row in report["rows"] if report else ():
            yield {"task": task, **row, "layers": layers_text(tuple(row["layers"]))}


def main(sizes: StudySizes = FULL) -> None:
    options = parse_arguments()
    print(write_report(Found(sizes, options.output, options.splits), options.report))


if __name__ == "__main__":
    main()
