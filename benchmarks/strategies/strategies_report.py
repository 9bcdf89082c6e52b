"""What replays of strategies come to: means over seeds, and a picture."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fidelity.replay_table import Table
from ose.core.score import ScoreRule

FIGURES = ("num_trained", "cost", "regret", "hypervolume")


@dataclass(frozen=True, slots=True)
class Summary:
    """A strategy under one setting: means over seeds, with the standard errors of two."""

    strategy: str
    setting: str
    start: str
    steps: int
    num_trained: float
    cost: float
    regret: float
    hypervolume: float
    regret_stderr: float
    hypervolume_stderr: float


def summaries(rows: Sequence[dict[str, object]]) -> list[Summary]:
    """One for each strategy and setting, the cheapest first."""
    groups: dict[tuple[object, ...], list[dict[str, object]]] = defaultdict(list)
    for row in rows:
        groups[row["strategy"], row["setting"], row["start"], row["steps"]].append(row)
    return sorted((_summary(some) for some in groups.values()), key=lambda each: each.cost)


def _summary(rows: Sequence[dict[str, object]]) -> Summary:
    columns = {name: [float(str(row[name])) for row in rows] for name in FIGURES}
    first = rows[0]
    return Summary(
        strategy=str(first["strategy"]),
        setting=str(first["setting"]),
        start=str(first["start"]),
        steps=int(str(first["steps"])),
        **{name: statistics.fmean(values) for name, values in columns.items()},
        **{f"{name}_stderr": _stderr(columns[name]) for name in ("regret", "hypervolume")},
    )


def _stderr(values: Sequence[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def markdown(table: Table, rule: ScoreRule, found: Sequence[Summary], num_seeds: int) -> str:
    """The report."""
    shown = ", ".join(f"{exponent:g}" for exponent in rule.exponents)
    return "\n".join(
        [
            f"{len(table.truth)} candidates; score {rule.formula} with exponents {shown}; means over {num_seeds} seeds ± "
            "standard error. Cost: training, as a share of distilling every candidate fully. Regret: what the first "
            "choice lacks of the best full score. Hypervolume: of latency and final loss, as a share of the best front's.",
            "",
            "## What nothing cheaper beats in regret",
            "",
            *_lines(_unbeaten(found)),
            "",
            "## All",
            "",
            *_lines(found),
            "",
        ]
    )


def _unbeaten(found: Sequence[Summary]) -> list[Summary]:
    kept: list[Summary] = []
    for each in found:
        if not kept or each.regret < kept[-1].regret:
            kept.append(each)
    return kept


def _lines(found: Sequence[Summary]) -> list[str]:
    head = "| strategy | setting | start | steps | trained | cost | regret | hypervolume |"
    return [
        head,
        "| --- " * 8 + "|",
        *(
            f"| {each.strategy} | {each.setting} | {each.start} | {each.steps} | {each.num_trained:.0f} | {each.cost:.2%} | "
            f"{each.regret:.2%} ± {each.regret_stderr:.2%} | {each.hypervolume:.1%} ± {each.hypervolume_stderr:.1%} |"
            for each in found
        ),
    ]


def draw(found: Sequence[Summary], file: Path) -> None:
    """Regret and hypervolume over cost; a line joins what of a strategy nothing cheaper of its own beats."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    names = sorted({each.strategy for each in found})
    for index, name in enumerate(names):
        own = [each for each in found if each.strategy == name]
        for axes, sign, figure_name in ((left, -1, "regret"), (right, 1, "hypervolume")):
            _draw_strategy(axes, own, figure_name, sign, f"C{index}", name)
    left.set(xscale="log", xlabel="cost, % of all full distillations", ylabel="regret of the first choice, %")
    right.set(xscale="log", xlabel="cost, % of all full distillations", ylabel="hypervolume, % of the best front's")
    right.legend(frameon=False, fontsize="small")
    figure.savefig(file, facecolor="white")
    plt.close(figure)


def _draw_strategy(axes, own: Sequence[Summary], figure: str, sign: int, colour: str, label: str) -> None:  # type: ignore[no-untyped-def]
    points = [(100 * each.cost, 100 * getattr(each, figure)) for each in own]
    axes.plot(*zip(*points, strict=True), ".", color=colour, alpha=0.3)
    best: list[tuple[float, float]] = []
    for cost, value in points:
        if not best or sign * value > sign * best[-1][1]:
            best.append((cost, value))
    axes.plot(*zip(*best, strict=True), "o-", color=colour, markersize=4, label=label)
