"""How far short searches agree with full distillation: tables and a picture of what `fidelity.py` measured.

    python benchmarks/fidelity/fidelity_report.py results/fidelity

Reads searches.csv, truth*.csv and teacher.json; writes fidelity.csv, fidelity.md and fidelity.svg. Orders are compared by
Kendall's tau, over all candidates and inside three bins of equal numbers by latency; regret is what the final score of
the candidate ranked first lacks of the best final score. The cost is that of the trials' time, or by `--cost steps` of their
steps, where other work ran beside some of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.shared.tables import read_csv, read_teacher, write_csv
from ose.core.kendall import kendall_tau
from ose.core.score import Measures, ScoreRule, score

NUM_BINS = 3
RULES = {"W": ScoreRule(), "excess": ScoreRule(formula="excess")}


@dataclass(frozen=True, slots=True)
class Result:
    """One candidate after a search or a full distillation."""

    architecture: str
    measures: Measures
    wall_time_s: float
    steps: int
    sequence_losses_nats: tuple[float, ...]
    group: tuple[str, int]
    """Initialisation and steps of a search; ("truth", seed) of a distillation."""

    def cost(self, counted_in: str) -> float:
        """In seconds of the trial, or in steps."""
        return self.steps if counted_in == "steps" else self.wall_time_s


def read(file: Path, group: Sequence[str]) -> list[Result]:
    return [_result(row, group) for row in read_csv(file)]


def _result(row: dict[str, str], group: Sequence[str]) -> Result:
    name = row[group[0]] if len(group) == 2 else "truth"
    return Result(
        architecture=row["architecture"],
        measures=Measures(
            num_parameters=int(row["num_parameters"]),
            latency_ms=float(row["latency_p50_ms"]),
            loss_nats=float(row["loss_nats"]),
            loss_stderr_nats=float(row["loss_stderr_nats"]),
        ),
        wall_time_s=float(row["wall_time_s"]),
        steps=int(row["steps"]),
        sequence_losses_nats=tuple(json.loads(row["sequence_losses_nats"])),
        group=(name, int(row[group[-1]])),
    )


def grouped(results: list[Result]) -> dict[tuple[str, int], dict[str, Result]]:
    groups: dict[tuple[str, int], dict[str, Result]] = {}
    for each in results:
        groups.setdefault(each.group, {})[each.architecture] = each
    return groups


def bins(truth: dict[str, Result]) -> list[list[str]]:
    """Architectures in bins of equal numbers, the fastest first."""
    ordered = sorted(truth, key=lambda name: truth[name].measures.latency_ms)
    edges = [round(index * len(ordered) / NUM_BINS) for index in range(NUM_BINS + 1)]
    return [ordered[low:high] for low, high in itertools.pairwise(edges)]


def losses(results: dict[str, Result], names: Sequence[str]) -> list[float]:
    return [results[name].measures.loss_nats for name in names]


def scores(results: dict[str, Result], names: Sequence[str], teacher: Measures, rule: ScoreRule) -> list[float]:
    return [score(results[name].measures, teacher, rule).value for name in names]


def agreement(found: dict[str, Result], truth: dict[str, Result], teacher: Measures, cost: str) -> dict[str, float]:
    """One search against the truth. `cost` is what it is counted in, `time` or `steps`."""
    names = sorted(found.keys() & truth.keys())
    row = {"tau_loss": kendall_tau(losses(found, names), losses(truth, names))}
    for index, some in enumerate(bins(truth)):
        inside = [name for name in some if name in found]
        row[f"tau_loss_bin_{index + 1}"] = kendall_tau(losses(found, inside), losses(truth, inside))
    for label, rule in RULES.items():
        ours, final = scores(found, names, teacher, rule), scores(truth, names, teacher, rule)
        first = final[ours.index(max(ours))]
        row |= {f"tau_{label}": kendall_tau(ours, final), f"regret_{label}": 1 - first / max(final)}
    row["cost"] = sum(found[name].cost(cost) for name in names) / sum(truth[name].cost(cost) for name in names)
    return row


def noise(truths: dict[tuple[str, int], dict[str, Result]]) -> str:
    """What another seed changes in the truth itself."""
    seeds = sorted(seed for _, seed in truths)
    names = sorted(set.intersection(*(set(truths["truth", seed]) for seed in seeds)))
    if len(seeds) < 2 or len(names) < 2:
        return "One seed alone: the noise of the truth is not known."
    by_seed = [_centred(losses(truths["truth", seed], names)) for seed in seeds]
    spread = statistics.fmean(statistics.stdev(values) for values in zip(*by_seed, strict=True))
    taus = [kendall_tau(one, other) for one, other in itertools.combinations(by_seed, 2)]
    return (
        f"{len(names)} candidates with {len(seeds)} seeds: once what all have in common is taken away, the standard "
        f"deviation over seeds is {spread:.4f} nats, of losses that range over {max(by_seed[0]) - min(by_seed[0]):.3f}; "
        f"orders of two seeds agree by a Kendall tau of {', '.join(f'{tau:.2f}' for tau in taus)}."
    )


def _centred(values: list[float]) -> list[float]:
    """Another seed draws other text, which is harder or easier for all."""
    mean = statistics.fmean(values)
    return [value - mean for value in values]


def markdown(rows: list[dict[str, object]], told: str) -> str:
    columns = [name for name in rows[0] if name not in {"initialization", "steps"}]
    lines = [
        told,
        "",
        f"| start | steps | {' | '.join(name.replace('_', ' ') for name in columns)} |",
        "| --- | --- |" + " --- |" * len(columns),
    ]
    for row in rows:
        shares = [
            f"{float(str(row[name])):.1%}" if name.startswith(("regret", "cost")) else f"{float(str(row[name])):.2f}"
            for name in columns
        ]
        lines.append(f"| {row['initialization']} | {row['steps']} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def draw(rows: list[dict[str, object]], file: Path) -> None:
    """Agreement over cost: all candidates solid, the mean of the bins dashed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for colour, initialization in zip(("tab:blue", "tab:orange"), ("inherit", "random"), strict=True):
        points = [row for row in rows if row["initialization"] == initialization]
        cost = [100 * float(str(row["cost"])) for row in points]
        inside = [statistics.fmean(float(str(row[f"tau_loss_bin_{i + 1}"])) for i in range(NUM_BINS)) for row in points]
        axes.plot(
            cost, [float(str(row["tau_loss"])) for row in points], "o-", color=colour, label=f"{initialization}, all"
        )
        axes.plot(cost, inside, "s--", color=colour, label=f"{initialization}, inside latency bins")
        for x, row in zip(cost, points, strict=True):
            axes.annotate(f"{row['steps']}", (x, float(str(row["tau_loss"]))), (0, 6), textcoords="offset points")
    axes.axhline(0.9, color="grey", linewidth=0.8)
    axes.axvline(5, color="grey", linewidth=0.8)
    axes.set(
        xscale="log", xlabel="cost of the search, % of the full distillations", ylabel="Kendall's tau of the losses"
    )
    axes.xaxis.set_major_formatter("{x:g}")
    figure.legend(frameon=False, loc="outside lower center", ncols=2)
    figure.savefig(file, facecolor="white")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cost", choices=("time", "steps"), default="time")
    options = parser.parse_args()
    folder: Path = options.folder
    found = grouped(read(folder / "searches.csv", ("initialization", "steps")))
    truths = grouped([each for file in sorted(folder.glob("truth*.csv")) for each in read(file, ("seed",))])
    teacher = read_teacher(folder)
    rows = [
        {"initialization": name, "steps": steps, **agreement(results, truths["truth", 0], teacher, options.cost)}
        for (name, steps), results in found.items()
    ]
    write_csv(folder / "fidelity.csv", rows)
    text = markdown(rows, noise(truths))
    (folder / "fidelity.md").write_text(text, encoding="utf8")
    draw(rows, folder / "fidelity.svg")
    print(text)


if __name__ == "__main__":
    main()
