"""Which figure of a short search tells the final order best? On the tables that `fidelity.py` wrote.

    python benchmarks/fidelity/fidelity_predictors.py results/fidelity

Beside the held-out loss itself: the same on fewer sequences; training losses, all of them or the last ones (all candidates
see the same batches, so their noise is common); a straight line through the last half of the training losses over the
logarithm of the step, followed to the end of the truth; a power law of the steps through the divergences from the teacher
(loss less its entropy) after this search and a shorter one, followed likewise, or for a short way alone; and what needs no
training at all. Orders are compared by loss and by `excess`. Writes predictors.csv and predictors.md.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.fidelity.fidelity_report import Result, bins, grouped, read
from benchmarks.shared.tables import read_csv, read_teacher, write_csv
from ose.core.kendall import kendall_tau
from ose.core.score import Measures, ScoreRule, score

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
SHORT_REACH = 3
"""A power law is also followed for a short way alone."""

UNTRAINED: dict[str, Predictor] = {
    "parameters": lambda row, _: -float(row["num_parameters"]),
    "operations": lambda row, _: -float(row["flops"]),
    "latency": lambda row, _: -float(row["latency_p50_ms"]),
}
"""They order, but are no losses, and so make no scores."""


def power_law(shorter: dict[str, Row], entropy_nats: float, reach: int | None = None) -> Predictor:
    """Through two divergences: what is left of one falls by the same share each time the steps double.

    Args:
        shorter: The rows of a search of fewer steps, by architecture.
        entropy_nats: The teacher's.
        reach: Followed to so many times the steps; None follows it to the truth's.
    """

    def of(row: Row, final_steps: int) -> float:
        final_steps = reach * int(row["steps"]) if reach else final_steps
        before = shorter[row["architecture"]]
        first, last = (float(each["loss_nats"]) - entropy_nats for each in (before, row))
        slope = math.log(last / first) / math.log(int(row["steps"]) / int(before["steps"]))
        return entropy_nats + last * (final_steps / int(row["steps"])) ** slope

    return of


@dataclass(frozen=True, slots=True)
class Truth:
    """The final losses, and what compares predictions with them."""

    results: dict[str, Result]
    teacher: Measures
    steps: int

    @property
    def losses(self) -> dict[str, float]:
        """By architecture."""
        return {name: result.measures.loss_nats for name, result in self.results.items()}

    def excess(self, losses: dict[str, float]) -> dict[str, float]:
        """Scores with these losses in place of the final ones."""
        rule = ScoreRule(formula="excess")
        measures = {name: replace(self.results[name].measures, loss_nats=loss) for name, loss in losses.items()}
        return {name: score(each, self.teacher, rule).value for name, each in measures.items()}


def judged(rows: Sequence[Row], predictor: Predictor, truth: Truth) -> dict[str, float]:
    """Agreement of one predictor with the truth, over all and inside bins, and the regret of its first choice."""
    told = {row["architecture"]: predictor(row, truth.steps) for row in rows}
    final = truth.losses
    scores, final_scores = truth.excess(told), truth.excess(final)
    first = max(scores, key=lambda name: scores[name])
    inside = [_tau(told, final, names) for names in bins(truth.results)]
    return {
        "tau": _tau(told, final, list(final)),
        "tau_inside_bins": statistics.fmean(inside),
        "tau_excess": _tau(scores, final_scores, list(final)),
        "regret_excess": 1 - final_scores[first] / max(final_scores.values()),
    }


def _tau(one: dict[str, float], other: dict[str, float], names: Sequence[str]) -> float:
    return kendall_tau([one[name] for name in names], [other[name] for name in names])


def table(rows: list[dict[str, object]]) -> str:
    lines = [
        "| start | steps | told by | tau | tau inside bins, mean | tau of `excess` | its regret |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['initialization']} | {row['steps']} | {row['predictor']} | {row['tau']:.3f} "
            f"| {row['tau_inside_bins']:.3f} | {row['tau_excess']:.3f} | {row['regret_excess']:.1%} |"
        )
    return "\n".join(lines).replace("nan%", "").replace("nan", "") + "\n"


def read_truth(folder: Path) -> Truth:
    results = grouped(read(folder / "truth.csv", ("seed",)))["truth", 0]
    return Truth(results, read_teacher(folder), int(read_csv(folder / "truth.csv")[0]["steps"]))


def read_searches(folder: Path) -> dict[tuple[str, int], dict[str, Row]]:
    """Rows by architecture, of each initialisation and number of steps."""
    searches: dict[tuple[str, int], dict[str, Row]] = {}
    for row in read_csv(folder / "searches.csv"):
        searches.setdefault((row["initialization"], int(row["steps"])), {})[row["architecture"]] = row
    return searches


def all_rows(searches: dict[tuple[str, int], dict[str, Row]], truth: Truth) -> Iterator[dict[str, object]]:
    some = list(next(iter(searches.values())).values())
    for name, each in UNTRAINED.items():
        told = judged(some, each, truth) | {"tau_excess": math.nan, "regret_excess": math.nan}
        yield {"initialization": "none", "steps": 0, "predictor": name, **told}
    for (initialization, steps), rows in searches.items():
        predictors = dict(PREDICTORS)
        for (start, shorter), others in searches.items():
            if start == initialization and shorter < steps:
                entropy = truth.teacher.loss_nats
                predictors[f"power law from {shorter} steps"] = power_law(others, entropy)
                predictors[f"power law from {shorter} steps, {SHORT_REACH} times"] = power_law(
                    others, entropy, SHORT_REACH
                )
        for name, each in predictors.items():
            found = judged(list(rows.values()), each, truth)
            yield {"initialization": initialization, "steps": steps, "predictor": name, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    rows = list(all_rows(read_searches(folder), read_truth(folder)))
    write_csv(folder / "predictors.csv", rows)
    (folder / "predictors.md").write_text(table(rows), encoding="utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
