"""What lies in a study's folder, as reports ask for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.classifiers.judged import read_part
from benchmarks.classifiers.last_looks import FOLDER, OFFICIAL
from benchmarks.classifiers.resampled import Grouped
from benchmarks.classifiers.sizes import STUDENTS, StudySizes
from benchmarks.classifiers.units import Results

PARTS = ("validation", OFFICIAL)


class Found:
    """The results of a study, of which some may not be there yet.

    Args:
        sizes: Of the study.
        output: Its folder.
        splits: Of the parts.
    """

    def __init__(self, sizes: StudySizes, output: Path, splits: Path) -> None:
        self.sizes, self.results = sizes, Results(output / "results")
        self._output, self._splits = output, splits
        self._groups = cache(self._read_groups)

    def get(self, name: str) -> Any:
        """The result of a unit; None where it is not done."""
        return self.results.get(name)

    def cells(self) -> Iterator[tuple[str, str]]:
        """Task and target, those at which the choice has rivals and those at which it has none."""
        for task, sizes in self.sizes.tasks.items():
            yield from ((task, target) for target in (*sizes.targets, *sizes.aims))

    def students(self, task: str, target: str) -> dict[str, list[str]]:
        """Units of the seeds that are there, by the student's name."""
        every = {name: [f"{task}/{target}/{name}/seed-{seed}" for seed in range(self.sizes.seeds)] for name in STUDENTS}
        there = {name: [unit for unit in units if unit in self.results] for name, units in every.items()}
        return {name: units for name, units in there.items() if units}

    def all_hits(self, task: str, unit: str) -> dict[str, str | None]:
        """Of a model on each part; None of one that was not looked at yet."""
        official = self.get(f"{OFFICIAL}/{task}")
        result = self.get(unit)
        own = result["hits"] if result else None
        validation = own["validation"] if isinstance(own, dict) else own
        return {"validation": validation, OFFICIAL: official.get(unit) if official else None}

    def grouped(self, task: str, part: str, units: list[str]) -> Grouped | None:
        """Hits of a model's seeds, or of a teacher or a bag of words; None if one is missing."""
        hits = [self.all_hits(task, unit)[part] for unit in units]
        known = [each for each in hits if each is not None]
        return Grouped(known, self._groups(task, part)) if known and len(known) == len(hits) else None

    def latency_rows(self, task: str, target: str) -> list[dict[str, Any]]:
        """Of the time at which others did least; none if latencies were never taken."""
        files = sorted((self._output / FOLDER / task / target).glob("*.json"))
        times = [json.loads(file.read_text(encoding="utf8")) for file in files]
        rows = min(times, key=lambda rows: sum(row["other_cores"] or 0.0 for row in rows), default=[])
        return [{"task": task, "target": target, **row} for row in rows]

    def _read_groups(self, task: str, part: str) -> tuple[str, ...]:
        return tuple(read_part(self._splits / task / f"{part}.csv", self.sizes.tasks[task]).groups)
