"""Which statistic over rounds is steadiest? Every one of the same raw rounds, held against each other.

    python benchmarks/latency/compare_statistics.py results/latency/rounds.jsonl

Reads what benchmarks/latency/latency.py writes. A statistic is judged by how far the ratio of one shape strays between
measurements, whatever ran beside them: none of them is told which were disturbed. Beside the spread stands the middle
ratio, in which a bias would show.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ose.core.rounds import percentile

Measurement = dict[str, Any]
Ratio = Callable[[Sequence[float], Sequence[float]], float]


def _quantiles(share: float) -> Ratio:
    return lambda own, reference: percentile(sorted(own), share) / percentile(sorted(reference), share)


STATISTICS: dict[str, Ratio] = {
    "median of ratios": lambda own, reference: statistics.median(map(_ratio, own, reference)),
    "mean of ratios": lambda own, reference: statistics.fmean(map(_ratio, own, reference)),
    "ratio of sums": lambda own, reference: sum(own) / sum(reference),
    "ratio of medians": _quantiles(0.5),
    "ratio of lower quartiles": _quantiles(0.25),
    "ratio of tenth percentiles": _quantiles(0.1),
}
_CLOCKS = {
    "wall": ("samples_ms", "reference_samples_ms"),
    "processor": ("cpu_samples_ms", "reference_cpu_samples_ms"),
}


def _ratio(own: float, reference: float) -> float:
    return own / reference


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rounds", type=Path)
    lines = parser.parse_args().rounds.read_text(encoding="utf8").splitlines()
    print(table([json.loads(line) for line in lines]))


def table(measurements: Sequence[Measurement]) -> str:
    """A line for each statistic of each clock."""
    names = sorted({each["architecture"] for each in measurements if each["architecture"] != "teacher"})
    lines = [
        "| clock | statistic | deviation between measurements, median of shapes (largest) | times as fast, by shape |",
        "| --- | --- | --- | --- |",
    ]
    for clock, (own, reference) in _CLOCKS.items():
        for title, ratio in STATISTICS.items():
            found = [
                [ratio(each[own], each[reference]) for each in measurements if each["architecture"] == name]
                for name in names
            ]
            spreads = [statistics.stdev(values) / statistics.fmean(values) for values in found]
            speeds = " ".join(f"{1 / statistics.median(values):.1f}" for values in found)
            told = f"{statistics.median(spreads):.1%} ({max(spreads):.1%})"
            lines.append(f"| {clock} | {title} | {told} | {speeds} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
