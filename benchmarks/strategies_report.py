"""What replays of strategies come to: means over seeds, a picture, and what the table says of the theory."""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from replay_table import Table, final_score

from ose.core.architecture import Architecture
from ose.core.score import ScoreRule

AXES = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
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
            "## Theory",
            "",
            *theory(table, rule),
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


def theory(table: Table, rule: ScoreRule) -> list[str]:
    """What the papers take for granted, looked up."""
    return [*_monotone_lines(table), "", *_spearman_lines(table, rule), "", *_epsilon_lines(table, rule)]


def _monotone_lines(table: Table) -> list[str]:
    lines = ["Pairs of candidates that differ along one axis, and whether what is larger there has more:", ""]
    lines += ["| axis | pairs | parameters rise | operations rise | latency rises |", "| --- " * 5 + "|"]
    for axis in AXES:
        pairs = pairs_along(list(table.truth), axis)
        counts = [sum(value(table, small) < value(table, large) for small, large in pairs) for value in SIZES.values()]
        lines.append(f"| {axis} | {len(pairs)} | {' | '.join(map(str, counts))} |")
    return lines


SIZES = {
    "parameters": lambda table, shape: table.truth[shape].measures.num_parameters,
    "operations": lambda table, shape: table.truth[shape].flops,
    "latency": lambda table, shape: table.truth[shape].measures.latency_ms,
}


def pairs_along(shapes: Sequence[Architecture], axis: str) -> list[tuple[Architecture, Architecture]]:
    """The smaller and the larger of every two that are equal along all other axes."""
    others = [name for name in AXES if name != axis]
    pairs = itertools.permutations(shapes, 2)
    return [
        (small, large)
        for small, large in pairs
        if getattr(small, axis) < getattr(large, axis)
        and all(getattr(small, name) == getattr(large, name) for name in others)
    ]


def _spearman_lines(table: Table, rule: ScoreRule) -> list[str]:
    columns = {name: [float(value(table, shape)) for shape in table.truth] for name, value in SIZES.items()}
    columns["final loss"] = [entry.measures.loss_nats for entry in table.truth.values()]
    columns["final score"] = [final_score(table, shape, rule) for shape in table.truth]
    lines = ["Spearman's rank correlations:", "", f"| | {' | '.join(columns)} |", "| --- " * (len(columns) + 1) + "|"]
    for name, values in columns.items():
        cells = [f"{spearman(values, others):.3f}" for others in columns.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def spearman(first: Sequence[float], second: Sequence[float]) -> float:
    """Correlation of ranks; equal values share the mean of theirs."""
    ranks = [_ranks(values) for values in (first, second)]
    if min(map(statistics.pstdev, ranks)) == 0:
        return float("nan")
    return statistics.correlation(*ranks)


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: index for index, value in reversed(list(enumerate(ordered)))}
    counts = {value: ordered.count(value) for value in first}
    return [first[value] + (counts[value] - 1) / 2 for value in values]


def _epsilon_lines(table: Table, rule: ScoreRule) -> list[str]:
    """Of the truth itself: what the stride alone costs, wherever it starts."""
    scores = [final_score(table, member.architecture, rule) for member in table.members]
    lines = [
        "What every epsilon-th member lacks of the best full score, over all places to start. The papers bound it by "
        "epsilon - 1; a share never exceeds 1, so the bound says something of epsilon = 1 alone, where nothing is left out:",
        "",
        "| epsilon | bound | from the smallest on | mean | largest |",
        "| --- " * 5 + "|",
    ]
    for epsilon in (1, 2, 3, 4, 6, 8):
        if epsilon < len(scores):
            lacks = stride_regrets(scores, epsilon)
            lines.append(
                f"| {epsilon} | {epsilon - 1} | {lacks[0]:.2%} | {statistics.fmean(lacks):.2%} | {max(lacks):.2%} |"
            )
    return lines


def stride_regrets(scores: Sequence[float], epsilon: int) -> list[float]:
    """By where the stride starts."""
    return [1 - max(scores[start::epsilon]) / max(scores) for start in range(epsilon)]


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
