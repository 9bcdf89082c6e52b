"""A table of searches and full distillations, as `fidelity.py` writes it, for strategies to be replayed on.

Nothing is trained: what a candidate is after s steps, and what it is in the end, is looked up.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean

from benchmarks.shared.tables import read_csv, read_teacher
from ose.core.architecture import Architecture
from ose.core.pareto import hypervolume
from ose.core.score import Measures, ScoreRule, score
from ose.core.search_space import Member, SearchSpace
from ose.core.significance import Judged, Scale
from ose.strategies.base import Outcome, Proposal, Strategy

_NAME = re.compile(r"L(\d+)-A(\d+)-H(\d+)-I(\d+)$")


@dataclass(frozen=True, slots=True)
class Entry:
    """What one training of a candidate gave."""

    measures: Measures
    flops: int
    wall_time_s: float
    sequence_losses_nats: tuple[float, ...]


Entries = dict[Architecture, Entry]


@dataclass(frozen=True, slots=True)
class Table:
    """Every candidate after each number of steps, and after full distillation.

    Attributes:
        searches: By initialisation and steps.
        truth: Of seed 0, like the searches; others may have been judged on other text.
        teacher: The maximum point.
    """

    searches: dict[tuple[str, int], Entries]
    truth: Entries
    teacher: Measures

    @property
    def members(self) -> list[Member]:
        """All candidates in the order that the strategy `ose` strides over."""

        def key(shape: Architecture) -> tuple[int, ...]:
            entry = self.truth[shape]
            axes = (shape.num_hidden_layers, shape.hidden_size, shape.intermediate_size, shape.num_attention_heads)
            return (entry.measures.num_parameters, entry.flops, *axes)

        return [Member(architecture=shape) for shape in sorted(self.truth, key=key)]

    @property
    def space(self) -> SearchSpace:
        """The axes that the candidates lie on; not all that lies on them is in the table."""
        names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
        return SearchSpace(
            name="table", **{name: tuple({getattr(each, name) for each in self.truth}) for name in names}
        )


def read_table(folder: Path) -> Table:
    """Read searches.csv, truth*.csv and teacher.json; candidates that have not been fully distilled are left out."""
    files = sorted(folder.glob("truth*.csv"))
    truth = {_architecture(row): _entry(row) for file in files for row in read_csv(file) if row["seed"] == "0"}
    searches: dict[tuple[str, int], Entries] = defaultdict(dict)
    for row in read_csv(folder / "searches.csv"):
        if (shape := _architecture(row)) in truth:
            searches[row["initialization"], int(row["steps"])][shape] = _entry(row)
    whole = {group: entries for group, entries in searches.items() if entries.keys() == truth.keys()}
    if not whole:
        raise SystemExit(f"{folder}: no search has all {len(truth)} candidates that were fully distilled")
    return Table(whole, truth, read_teacher(folder))


@dataclass(frozen=True, slots=True)
class Found:
    """What a strategy came to.

    Attributes:
        num_trained: Candidates it trained at all.
        cost: Training it spent, as a share of distilling every candidate fully.
        regret: What the full score of its first choice lacks of the best one's, as a share of that.
        hypervolume: Of the front that it saw, where full distillation puts it, as a share of the best possible.
    """

    num_trained: int
    cost: float
    regret: float
    hypervolume: float


class Replay:
    """One initialisation of a table, judged on one draw of the held-out sequences.

    Args:
        table: What is looked up.
        initialization: Which searches.
        rule: Scores searches and the truth.
        seed: Draws the sequences anew, with replacement, the same ones for all candidates; 0 leaves them as they were.
    """

    def __init__(self, table: Table, initialization: str, rule: ScoreRule, seed: int) -> None:
        self._table = table
        self._rule = rule
        self._by_steps = {steps: found for (start, steps), found in table.searches.items() if start == initialization}
        count = len(next(iter(table.searches.values()))[table.members[0].architecture].sequence_losses_nats)
        draw = random.Random(seed)
        self._drawn = [draw.randrange(count) for _ in range(count)] if seed else list(range(count))

    def run(self, strategy: Strategy) -> Found:
        """Ask and tell until nothing more is proposed."""
        ranking: dict[int, tuple[Proposal, Outcome]] = {}
        trained, spent_s = set(), 0.0
        while wave := strategy.ask():
            for proposal in wave:
                outcome = self._outcome(proposal)
                spent_s += self._cost_s(proposal)
                trained.add(proposal.architecture)
                ranking.pop(proposal.continues or 0, None)
                ranking[proposal.number] = proposal, outcome
                strategy.tell(proposal.number, outcome)
        return self._judged(list(ranking.values()), len(trained), spent_s)

    def _outcome(self, proposal: Proposal) -> Outcome:
        entry = self._by_steps[self._nearest(proposal.num_steps)][proposal.architecture]
        losses = tuple(entry.sequence_losses_nats[index] for index in self._drawn)
        measured = replace(entry.measures, loss_nats=fmean(losses))
        scale = Scale(teacher=self._table.teacher, rule=self._rule)
        return Outcome(
            has_passed=True,
            num_parameters=measured.num_parameters,
            latency_p50_ms=measured.latency_ms,
            loss_nats=measured.loss_nats,
            score=score(measured, scale.teacher, scale.rule).value,
            judged=Judged(
                architecture=proposal.architecture, measures=measured, sequence_losses_nats=losses, scale=scale
            ),
        )

    def _cost_s(self, proposal: Proposal) -> float:
        """Going on from earlier steps costs the difference. A table has no phases: it says what one run of the steps costs."""
        shape = proposal.architecture
        whole = self._by_steps[self._nearest(proposal.num_steps)][shape].wall_time_s
        if not proposal.earlier_phases:
            return whole
        return max(0.0, whole - self._by_steps[self._nearest(proposal.earlier_phases[-1])][shape].wall_time_s)

    def _nearest(self, steps: int) -> int:
        return min(self._by_steps, key=lambda known: abs(math.log(known / steps)))

    def _judged(self, ranking: Sequence[tuple[Proposal, Outcome]], num_trained: int, spent_s: float) -> Found:
        first, _ = max(ranking, key=lambda each: (each[1].score, -each[0].number))
        scores = {shape: final_score(self._table, shape, self._rule) for shape in self._table.truth}
        return Found(
            num_trained=num_trained,
            cost=spent_s / sum(entry.wall_time_s for entry in self._table.truth.values()),
            regret=1 - scores[first.architecture] / max(scores.values()),
            hypervolume=self._covered([each.architecture for each in _front(ranking)]),
        )

    def _covered(self, shapes: Sequence[Architecture]) -> float:
        """The worst that counts: as slow as the teacher, or as bad as the worst candidate."""
        points = {
            shape: (entry.measures.latency_ms, entry.measures.loss_nats) for shape, entry in self._table.truth.items()
        }
        reference = (self._table.teacher.latency_ms, max(loss for _, loss in points.values()))
        return hypervolume((points[shape] for shape in shapes), reference) / hypervolume(points.values(), reference)


def final_score(table: Table, shape: Architecture, rule: ScoreRule) -> float:
    """After full distillation."""
    return score(table.truth[shape].measures, table.teacher, rule).value


def _front(ranking: Sequence[tuple[Proposal, Outcome]]) -> list[Proposal]:
    """Those that none of the others beats in latency and loss, as the search saw them."""
    front, best = [], math.inf
    for proposal, outcome in sorted(ranking, key=lambda each: (each[1].latency_p50_ms, each[1].loss_nats)):
        assert outcome.loss_nats is not None
        if outcome.loss_nats < best:
            front.append(proposal)
            best = outcome.loss_nats
    return front


def _architecture(row: dict[str, str]) -> Architecture:
    found = _NAME.match(row["architecture"])
    if found is None:
        raise SystemExit(f"{row['architecture']!r} is no architecture as in L4-A12-H384-I1536")
    layers, heads, hidden, intermediate = map(int, found.groups())
    return Architecture(
        num_hidden_layers=layers, num_attention_heads=heads, hidden_size=hidden, intermediate_size=intermediate
    )


def _entry(row: dict[str, str]) -> Entry:
    return Entry(
        measures=Measures(
            num_parameters=int(row["num_parameters"]),
            latency_ms=float(row["latency_p50_ms"]),
            loss_nats=float(row["loss_nats"]),
            loss_stderr_nats=float(row["loss_stderr_nats"]),
        ),
        flops=int(row["flops"]),
        wall_time_s=float(row["wall_time_s"]),
        sequence_losses_nats=tuple(json.loads(row["sequence_losses_nats"])),
    )
