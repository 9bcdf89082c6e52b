"""Halving on tables: a candidate's loss at each round is looked up, and every score is a line in the loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.core.score import Measures, ScoreRule
from ose.core.significance import Judged, Scale
from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.base import Outcome, Proposal
from ose.strategies.halving import (
    HalvingStrategy,
    expected_rounds,
    halving_rounds,
    most_survivors,
    num_survivors,
    upper_part,
)

SPACE = builders.search_space(num_hidden_layers=(1, 2, 3), hidden_size=(32, 64, 96))
MEMBERS = list(SPACE.members(builders.COUNTS))
ROUNDS = (10, 30, 90)
SCALE = Scale(
    teacher=Measures(num_parameters=2, latency_ms=2.0, loss_nats=0.0), rule=ScoreRule(exponents=(0.0, 0.0, 1.0))
)


def outcome(score: float, spread: Sequence[float] = (-0.01, 0.01), *, has_passed: bool = True) -> Outcome:
    """Of a score, with what two held-out sequences make of it."""
    loss = math.exp(-score / 10)  # above the floor of W, whatever the score
    judged = Judged(
        architecture=MEMBERS[0].architecture,
        measures=Measures(num_parameters=1, latency_ms=1.0, loss_nats=loss),
        sequence_losses_nats=tuple(loss * (1 + each) for each in spread),
        scale=SCALE,
    )
    return Outcome(has_passed=has_passed, score=score, loss_nats=5 - score, judged=judged)


@dataclass
class Table:
    """Runs a strategy to its end on a table of scores, by the member's place in the order and the steps."""

    score: Callable[[int, int], float]
    rounds: tuple[int, ...] = ROUNDS
    eta: int = 3
    asked: list[list[Proposal]] = field(default_factory=list)

    def strategy(self, num_members: int) -> HalvingStrategy:
        return HalvingStrategy(MEMBERS[:num_members], [Hyperparameters()], self.rounds, self.eta)

    def run(self, num_members: int) -> list[list[Proposal]]:
        strategy = self.strategy(num_members)
        while proposals := strategy.ask():
            self.asked.append(list(proposals))
            for proposal in reversed(proposals):
                strategy.tell(proposal.number, self.outcome(proposal))
        return self.asked

    def outcome(self, proposal: Proposal) -> Outcome:
        return outcome(self.score(place(proposal), proposal.num_steps))


def place(proposal: Proposal) -> int:
    return next(index for index, member in enumerate(MEMBERS) if member.architecture == proposal.architecture)


@pytest.mark.parametrize(
    ("steps", "min_steps", "eta", "rounds"),
    [
        (100, 10, 3, (11, 33, 100)),
        (90, 10, 3, (10, 30, 90)),
        (100, 10, 10, (10, 100)),
        (64, 1, 4, (1, 4, 16, 64)),
        (20, 10, 3, (20,)),
        (5, 10, 3, (5,)),
    ],
)
def test_rounds_are_eta_times_longer_each(steps: int, min_steps: int, eta: int, rounds: tuple[int, ...]) -> None:
    assert halving_rounds(SearchSpec(steps=steps, min_steps=min_steps, eta=eta)) == rounds


@given(steps=st.integers(1, 10_000), min_steps=st.integers(1, 200), eta=st.integers(2, 10))
def test_rounds_end_at_the_most_and_begin_at_no_less_than_the_least(steps: int, min_steps: int, eta: int) -> None:
    rounds = halving_rounds(SearchSpec(steps=steps, min_steps=min_steps, eta=eta))
    assert rounds[-1] == steps
    assert rounds[0] >= min(steps, min_steps)
    assert all(before < after for before, after in pairwise(rounds))


def test_the_best_go_on_from_where_they_are() -> None:
    first, second = Table(lambda place, steps: place).run(9)
    assert [(each.number, each.num_steps, each.phases) for each in first] == [(n, 10, (10,)) for n in range(1, 10)]
    assert [(each.number, each.continues, each.phases) for each in second] == [
        (10, 7, (10, 30)), (11, 8, (10, 30)), (12, 9, (10, 30))
    ]  # fmt: skip


def test_it_ends_when_one_differs_from_all_and_at_the_last_round() -> None:
    assert [len(wave) for wave in Table(lambda place, steps: place).run(3)] == [3]
    assert [len(wave) for wave in Table(lambda place, steps: place).run(9)] == [9, 3]
    assert [len(wave) for wave in Table(lambda place, steps: place).run(12)] == [12, 4, 2]


def test_what_is_tied_with_the_last_survivor_goes_on_too() -> None:
    """Of three survivors the last has a score of 6; paired, 5.995 is within two standard errors of it and 5 is not."""
    scores = {1: 9.0, 2: 8.0, 3: 6.0, 4: 5.995, 5: 5.0, 6: 4.0, 7: 3.0, 8: 2.0}
    outcomes = {number: outcome(score) for number, score in scores.items()}
    outcomes[4] = outcome(5.995, (-0.03, 0.03))
    assert upper_part(outcomes, eta=3) == [1, 2, 3, 4]
    outcomes[4] = outcome(5.995)  # the same two sequences are harder for both, so nothing is left of their spread
    assert upper_part(outcomes, eta=3) == [1, 2, 3]


def test_where_all_are_alike_twice_as_many_go_on_and_no_more() -> None:
    outcomes = {number: outcome(1.0, (-0.01 * number, 0.01 * number)) for number in range(1, 31)}
    assert len(upper_part(outcomes, eta=3)) == 20 == most_survivors(30, eta=3)


def test_what_failed_does_not_go_on() -> None:
    outcomes = {1: outcome(1.0), 2: Outcome(), 3: Outcome(), 4: outcome(2.0), 5: Outcome(num_parameters=7)}
    assert upper_part(outcomes, eta=3) == [1, 4]
    assert upper_part({1: Outcome(), 2: Outcome()}, eta=3) == []


def test_a_limit_on_loss_puts_candidates_last_but_not_out() -> None:
    beyond = {number: outcome(score, has_passed=False) for number, score in {1: 9.0, 2: 8.0}.items()}
    passed = {number: outcome(score) for number, score in {3: 1.0, 4: 0.5, 5: 0.1}.items()}
    assert upper_part({**beyond, **passed}, eta=3) == [3, 4]
    assert upper_part({**beyond, 3: passed[3], 4: Outcome()}, eta=2) == [1, 3]


def test_a_new_strategy_told_the_same_proposes_the_same() -> None:
    """Resuming: whatever was told in the old order, the new one goes on from it."""
    table = Table(lambda place, steps: (place * 7919) % 13 + steps / 100)
    waves = table.run(24)
    told = {proposal.number: table.outcome(proposal) for wave in waves for proposal in wave}
    again = table.strategy(24)
    for wave in waves:
        assert list(again.ask()) == wave
        assert list(again.ask()) == []
        for proposal in wave:
            again.tell(proposal.number, told[proposal.number])
    assert list(again.ask()) == []


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data(), eta=st.integers(2, 4), num_members=st.integers(1, len(MEMBERS)))
def test_waves_are_chains_that_grow_thin(data: st.DataObject, eta: int, num_members: int) -> None:
    scores = st.one_of(st.floats(0, 10), st.sampled_from([1.0, 2.0]))
    drawn: dict[tuple[int, int], float] = {}

    def score(place: int, steps: int) -> float:
        return drawn.setdefault((place, steps), data.draw(scores))

    waves = Table(score, eta=eta).run(num_members)
    assert len(waves) <= len(ROUNDS)
    numbers = [proposal.number for wave in waves for proposal in wave]
    assert numbers == list(range(1, len(numbers) + 1))
    for earlier, later in pairwise(waves):
        by_number = {proposal.number: proposal for proposal in earlier}
        assert 2 <= len(later) <= min(len(earlier), most_survivors(len(earlier), eta))
        for proposal in later:
            before = by_number[proposal.continues or 0]
            assert proposal == replace(
                before,
                number=proposal.number,
                num_steps=proposal.num_steps,
                earlier_phases=before.phases,
                continues=before.number,
            )
        best = max(earlier, key=lambda each: (drawn[place(each), each.num_steps], -each.number))
        assert best.number in {proposal.continues for proposal in later}


def test_the_expected_rounds_are_those_of_a_search_without_ties() -> None:
    search = SearchSpec(steps=90, min_steps=10, eta=3)
    waves = Table(lambda place, steps: place).run(30)
    assert [count for count, _ in expected_rounds(30, search)] == [len(wave) for wave in waves]
    assert expected_rounds(30, search) == [(30, 10), (10, 20), (4, 60)]
    assert expected_rounds(3, search) == [(3, 10)]
    assert num_survivors(10, 3) == 4
