"""Which strategy finds the best student for the least training? Each is replayed on a table, with nothing trained.

    python benchmarks/strategies/strategies.py results/fidelity --output results/strategies

Reads what `fidelity.py` wrote. Every strategy runs under each number of steps and seed; a seed decides what a strategy
draws, and on which draw of the held-out sequences it judges. Writes strategies.csv (one line a run), strategies.md (means)
and strategies.svg. A run takes milliseconds; the sampler gp takes a fifth of a second for each proposal.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fidelity.replay_table import Replay, Table, read_table
from benchmarks.shared.tables import write_csv
from benchmarks.strategies.strategies_report import draw, markdown, summaries
from ose.core.score import ScoreRule
from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.base import Strategy
from ose.strategies.exhaustive import OseStrategy
from ose.strategies.grid import Grid
from ose.strategies.halving import HalvingStrategy, halving_rounds
from ose.strategies.optuna import OptunaStrategy
from ose.strategies.random import RandomStrategy

THETA = (Hyperparameters(),)


@dataclass(frozen=True, slots=True)
class Contender:
    """A strategy with its settings.

    Attributes:
        strategy: What it is called.
        setting: Its budget, for people.
        make: A new one, for a seed.
    """

    strategy: str
    setting: str
    steps: int
    make: Callable[[int], Strategy]


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="searches.csv, truth.csv and teacher.json of fidelity.py")
    parser.add_argument("--epsilons", type=int, nargs="+", default=[1, 2, 3, 4], help="strides; others get as many")
    parser.add_argument("--samplers", nargs="*", default=["tpe", "gp", "nsgaii"], choices=["tpe", "gp", "nsgaii"])
    parser.add_argument("--steps", type=int, nargs="+", help="only these of the table")
    parser.add_argument("--initialization", help="only this one")
    parser.add_argument("--min-steps", type=int, default=10, help="first round of halving")
    parser.add_argument("--etas", type=int, nargs="+", default=[2, 3], help="of halving")
    parser.add_argument("--wave-size", type=int, default=2, help="of optuna's samplers")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--formula", choices=["w", "excess"], default="w")
    parser.add_argument("--exponents", type=float, nargs=3, default=[1, 1, 1])
    parser.add_argument("--output", type=Path, required=True)
    return parser.parse_args()


def contenders(table: Table, steps: int, options: argparse.Namespace) -> Iterator[Contender]:
    """All strategies at this number of steps, each with several budgets."""
    members = table.members
    for epsilon in options.epsilons:
        visited = members[::epsilon]
        yield Contender(
            "ose", f"epsilon {epsilon}", steps, lambda _, visited=visited: OseStrategy(visited, THETA, steps)
        )
        if epsilon == 1:
            continue  # the whole space, in whatever order
        count = len(visited)
        yield Contender("random", f"{count} members", steps, _random(table, steps, count))
        for sampler in options.samplers:
            yield Contender(
                f"optuna {sampler}", f"{count} members", steps, _optuna(table, steps, count, sampler, options)
            )
    for eta in options.etas:
        search = SearchSpec(strategy="halving", steps=steps, min_steps=min(options.min_steps, steps), eta=eta)
        rounds = halving_rounds(search)
        if len(rounds) > 1:
            name = f"eta {eta}, {'-'.join(map(str, rounds))} steps"
            yield Contender(
                "halving", name, steps, lambda _, rounds=rounds, eta=eta: HalvingStrategy(members, THETA, rounds, eta)
            )


def _random(table: Table, steps: int, count: int) -> Callable[[int], Strategy]:
    def make(seed: int) -> Strategy:
        search = SearchSpec(strategy="random", num_candidates=count, steps=steps, seed=seed)
        return RandomStrategy(table.members, search, len(table.truth))

    return make


def _optuna(
    table: Table, steps: int, count: int, sampler: str, options: argparse.Namespace
) -> Callable[[int], Strategy]:
    depth = max(shape.num_hidden_layers for shape in table.truth)

    def make(seed: int) -> Strategy:
        search = SearchSpec(strategy="optuna", num_candidates=count, sampler=sampler, steps=steps, seed=seed)
        return OptunaStrategy(Grid(table.space, THETA, depth, table.truth.__contains__), search, options.wave_size)

    return make


def runs(table: Table, rule: ScoreRule, options: argparse.Namespace) -> Iterator[dict[str, object]]:
    for initialization, steps in table.searches:
        if options.initialization not in (None, initialization) or (options.steps and steps not in options.steps):
            continue
        replays = [Replay(table, initialization, rule, seed) for seed in range(options.seeds)]
        for each in contenders(table, steps, options):
            named = {"strategy": each.strategy, "setting": each.setting, "start": initialization, "steps": steps}
            for seed, replay in enumerate(replays):
                yield {**named, "seed": seed, **asdict(replay.run(each.make(seed)))}
            print(initialization, steps, each.strategy, each.setting, flush=True)


def main() -> None:
    options = parse_arguments()
    table = read_table(options.folder)
    rule = ScoreRule(formula=options.formula, exponents=tuple(options.exponents))
    rows = list(runs(table, rule, options))
    options.output.mkdir(parents=True, exist_ok=True)
    write_csv(options.output / "strategies.csv", rows)
    found = summaries(rows)
    text = markdown(table, rule, found, options.seeds)
    (options.output / "strategies.md").write_text(text, encoding="utf8")
    draw(found, options.output / "strategies.svg")
    print(text)


if __name__ == "__main__":
    main()
