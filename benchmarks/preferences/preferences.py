"""What does a score prefer? The winners of finished searches under many rules, beside what people would pick.

    ose leaderboard 3f9c --format json > board.json
    python benchmarks/preferences/preferences.py board.json --output results/preferences

Each board is ranked by W as printed, by W with other exponents, by `excess`, and with limits on the loss; the picks of
people are the knee of the front of latency and loss, and the best loss within a half and a quarter of the teacher's
latency. The same again as if the teacher were larger: W compares with the teacher's size and latency, so another
maximum point may move the choice. Writes preferences.csv, preferences.md and a picture of each board (extra `report`).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from textwrap import fill
from typing import Any

from benchmarks.shared.tables import write_csv
from ose.core.pareto import pareto_front
from ose.core.score import Measures, ScoreRule, score

RULES = {
    "W as printed": ScoreRule(),
    "W, loss squared": ScoreRule(exponents=(1, 1, 2)),
    "W, loss to the fourth": ScoreRule(exponents=(1, 1, 4)),
    "W, without size": ScoreRule(exponents=(0, 1, 1)),
    "W, roots of size and latency": ScoreRule(exponents=(0.5, 0.5, 1)),
    "excess": ScoreRule(formula="excess"),
    "excess, without size": ScoreRule(formula="excess", exponents=(0, 1, 1)),
    "excess, roots of size and latency": ScoreRule(formula="excess", exponents=(0.5, 0.5, 1)),
}
TEACHER_SCALES = (1, 2, 4)
"""How many times as large and slow the teacher is taken to be."""

LOSS_LIMITS = (1.25, 1.1)
"""Times the teacher's entropy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A candidate that passed."""

    name: str
    measures: Measures
    masked_accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A finished search."""

    name: str
    teacher: Measures
    members: tuple[Member, ...]

    @property
    def front(self) -> tuple[Member, ...]:
        """What no other member beats in latency and loss, the fastest first."""
        flags = pareto_front([(each.measures.latency_ms, each.measures.loss_nats) for each in self.members])
        front = [each for each, is_on_it in zip(self.members, flags, strict=True) if is_on_it]
        return tuple(sorted(front, key=lambda each: each.measures.latency_ms))


def read_board(file: Path) -> Board:
    """What `ose leaderboard ID --format json` prints."""
    content = json.loads(file.read_text(encoding="utf8"))
    rows = [row for row in content["rows"] if row["status"] == "SUCCEEDED"]
    members = (Member(name=_name(row), measures=_measures(row), masked_accuracy=_accuracy(row)) for row in rows)
    return Board(name=content["job"]["name"], teacher=_measures(content["teacher"]), members=tuple(members))


def _accuracy(row: dict[str, Any]) -> float | None:
    """Boards that were kept from before metrics had names say it in the row itself."""
    metrics = row.get("metrics")
    return metrics["masked_accuracy"]["value"] if metrics else row["masked_accuracy"]


def _measures(row: dict[str, Any]) -> Measures:
    return Measures(num_parameters=row["num_parameters"], latency_ms=row["latency_p50_ms"], loss_nats=row["loss_nats"])


def _name(row: dict[str, Any]) -> str:
    return ", ".join(str(value) for value in row["architecture"].values())


def choices(board: Board) -> Iterator[tuple[str, Member]]:
    """Every rule's winner, then what people would pick."""
    for scale in TEACHER_SCALES:
        teacher = replace(
            board.teacher,
            num_parameters=board.teacher.num_parameters * scale,
            latency_ms=board.teacher.latency_ms * scale,
        )
        for label, rule in RULES.items():
            yield f"{label}{f', teacher x {scale}' if scale > 1 else ''}", winner(board, teacher, rule)
    for limit in LOSS_LIMITS:
        within = [each for each in board.members if each.measures.loss_nats <= limit * board.teacher.loss_nats]
        if within:
            yield (
                f"W, loss up to {limit} of the entropy",
                winner(replace(board, members=tuple(within)), board.teacher, ScoreRule()),
            )
    yield "people: the knee of the front", knee(board)
    for share in (0.5, 0.25):
        yield f"people: the best within {share} of the latency", best_within(board, share * board.teacher.latency_ms)


def winner(board: Board, teacher: Measures, rule: ScoreRule) -> Member:
    return max(board.members, key=lambda each: score(each.measures, teacher, rule).value)


def knee(board: Board) -> Member:
    """The member of the front farthest below the line from its fastest to its best, latencies on a scale of ratios."""
    front = board.front
    x = [math.log(each.measures.latency_ms) for each in front]
    y = [each.measures.loss_nats for each in front]
    width, height = max(x[-1] - x[0], 1e-12), max(y[0] - y[-1], 1e-12)
    depth = [1 - (a - x[0]) / width - (b - y[-1]) / height for a, b in zip(x, y, strict=True)]
    return front[depth.index(max(depth))]


def best_within(board: Board, latency_ms: float) -> Member:
    """The lowest loss among those fast enough; the fastest of all if none is."""
    fast = [each for each in board.members if each.measures.latency_ms <= latency_ms]
    key: Callable[[Member], float] = lambda each: each.measures.loss_nats  # noqa: E731
    return min(fast, key=key) if fast else min(board.members, key=lambda each: each.measures.latency_ms)


def rows_of(board: Board) -> list[dict[str, Any]]:
    front = board.front
    return [
        {
            "board": board.name, "rule": label, "architecture": chosen.name,
            "num_parameters": chosen.measures.num_parameters,
            "size": chosen.measures.num_parameters / board.teacher.num_parameters,
            "latency": chosen.measures.latency_ms / board.teacher.latency_ms,
            "loss_nats": chosen.measures.loss_nats,
            "excess_nats": chosen.measures.loss_nats - board.teacher.loss_nats,
            "masked_accuracy": chosen.masked_accuracy, "is_on_front": chosen in front,
        }
        for label, chosen in choices(board)
    ]  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        "| rule | D, A, H, I | of the teacher's size | of its latency | loss, nats | above its entropy | right | front |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        lines.append(
            f"| {row['rule']} | {row['architecture']} | {row['size']:.0%} | {row['latency']:.0%} | {row['loss_nats']:.3f} "
            f"| {row['excess_nats']:.3f} | {_share(row['masked_accuracy'])} | {'*' if row['is_on_front'] else ''} |"
        )
    return "\n".join(lines) + "\n"


def _share(value: float | None) -> str:
    """Nothing where it is not known: a board may be imagined (`imagined_board.py`)."""
    return "" if value is None else f"{value:.1%}"


def draw(board: Board, file: Path) -> None:
    """All members, the front as a line, and the choices that differ."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 6.4), layout="constrained")
    axes.scatter(*_points(board, board.members), s=18, color="0.6", label="candidates")
    axes.plot(*_points(board, board.front), color="0.3", linewidth=1, label="front")
    axes.axhline(board.teacher.loss_nats, color="grey", linewidth=0.8, linestyle=":", label="the teacher's entropy")
    shown = {label: chosen for label, chosen in choices(board) if "teacher x" not in label}
    for marker, (chosen, labels) in zip("os^Dvp*Xh<>", _by_choice(shown).items(), strict=False):
        axes.scatter(*_points(board, (chosen,)), s=70, marker=marker, label=fill("; ".join(labels), 100))
    axes.set(xscale="log", xlabel="latency, share of the teacher's", ylabel="held-out loss, nats")
    axes.xaxis.set_major_formatter("{x:.0%}")
    axes.set_xticks([0.05, 0.1, 0.2, 0.5, 1.0])
    axes.set_xticks([], minor=True)
    figure.legend(frameon=False, loc="outside lower center", fontsize=8)
    figure.savefig(file, facecolor="white")


def _points(board: Board, members: tuple[Member, ...]) -> tuple[list[float], list[float]]:
    shares = [each.measures.latency_ms / board.teacher.latency_ms for each in members]
    return shares, [each.measures.loss_nats for each in members]


def _by_choice(shown: dict[str, Member]) -> dict[Member, list[str]]:
    labels: dict[Member, list[str]] = {}
    for label, chosen in shown.items():
        labels.setdefault(chosen, []).append(label)
    return labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", type=Path, nargs="+", help="what `ose leaderboard ID --format json` prints")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    boards = [read_board(file) for file in options.boards]
    rows = [row for board in boards for row in rows_of(board)]
    write_csv(options.output / "preferences.csv", rows)
    texts = [f"## {board.name}\n\n{table([row for row in rows if row['board'] == board.name])}" for board in boards]
    (options.output / "preferences.md").write_text("\n".join(texts), encoding="utf8")
    for board in boards:
        draw(board, options.output / f"{board.name}.svg")
    print("\n".join(texts))


if __name__ == "__main__":
    main()
