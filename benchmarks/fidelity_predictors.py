"""Which figure of a short search tells the final order best? On the tables that `fidelity.py` wrote.

    python benchmarks/fidelity_predictors.py results/fidelity

Beside the held-out loss itself: the same on fewer sequences; training losses, all of them or the last ones (all candidates
see the same batches, so their noise is common); a straight line through the last half of the training losses over the
logarithm of the step, followed to the end of the truth; and what needs no training at all. Writes predictors.csv and
predictors.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from fidelity_report import bins, grouped, read

from ose.core.comparison import kendall_tau

Row = dict[str, str]
Predictor = Callable[[Row, int], float]
"""From a row of searches.csv and the truth's steps; lower is better."""


def held_out(share: float) -> Predictor:
    def of(row: Row, _: int) -> float:
        losses = json.loads(row["sequence_losses_nats"])
        return statistics.fmean(losses[: max(1, round(share * len(losses)))])

    return of


def training(share: float) -> Predictor:
    def of(row: Row, _: int) -> float:
        losses = json.loads(row["training_losses_nats"])
        return statistics.fmean(losses[-max(1, round(share * len(losses))) :])

    return of


def extrapolated(row: Row, final_steps: int) -> float:
    losses = json.loads(row["training_losses_nats"])
    steps = range(len(losses) // 2 + 1, len(losses) + 1)
    slope, intercept = statistics.linear_regression([math.log(step) for step in steps], losses[len(losses) // 2 :])
    return intercept + slope * math.log(final_steps)


PREDICTORS: dict[str, Predictor] = {
    "held-out loss": held_out(1),
    "held-out loss, a quarter of the sequences": held_out(0.25),
    "held-out loss, a sixteenth": held_out(1 / 16),
    "training losses, all": training(1),
    "training losses, last half": training(0.5),
    "training losses, last tenth": training(0.1),
    "training losses, followed to the end": extrapolated,
}
UNTRAINED: dict[str, Predictor] = {
    "parameters": lambda row, _: -float(row["num_parameters"]),
    "operations": lambda row, _: -float(row["flops"]),
    "latency": lambda row, _: -float(row["latency_p50_ms"]),
}


def judged(
    rows: Sequence[Row], predictor: Predictor, truth: dict[str, float], groups: list[list[str]], steps: int
) -> dict[str, float]:
    """Agreement of one predictor with the final losses, over all and inside bins, and the regret of its first choice."""
    told = {row["architecture"]: predictor(row, steps) for row in rows}
    names = sorted(truth)
    first = min(names, key=lambda name: told[name])

    def tau(some: Sequence[str]) -> float:
        return kendall_tau([told[name] for name in some], [truth[name] for name in some])

    return {
        "tau": tau(names),
        "tau_inside_bins": statistics.fmean(tau(some) for some in groups),
        "regret_nats": truth[first] - min(truth.values()),
    }


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| start | steps | told by | tau | tau inside bins, mean | regret, nats |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['initialization']} | {row['steps']} | {row['predictor']} | {row['tau']:.3f} "
            f"| {row['tau_inside_bins']:.3f} | {row['regret_nats']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    results = grouped(read(folder / "truth.csv", ("seed",)))["truth", 0]
    truth = {name: result.measures.loss_nats for name, result in results.items()}
    groups = bins(results)
    with (folder / "searches.csv").open(encoding="utf8") as stream:
        searches = list(csv.DictReader(stream))
    with (folder / "truth.csv").open(encoding="utf8") as stream:
        final_steps = int(next(csv.DictReader(stream))["steps"])
    by_search: dict[tuple[str, int], list[Row]] = {}
    for row in searches:
        by_search.setdefault((row["initialization"], int(row["steps"])), []).append(row)
    rows: list[dict[str, object]] = [
        {"initialization": "none", "steps": 0, "predictor": name, **judged(searches, each, truth, groups, final_steps)}
        for name, each in UNTRAINED.items()
    ]
    for (initialization, steps), some in by_search.items():
        for name, each in PREDICTORS.items():
            told = judged(some, each, truth, groups, final_steps)
            rows.append({"initialization": initialization, "steps": steps, "predictor": name, **told})
    with (folder / "predictors.csv").open("w", newline="", encoding="utf8") as stream:
        writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / "predictors.md").write_text(table(rows), encoding="utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
