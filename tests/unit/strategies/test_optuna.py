"""Optuna's samplers as strategies: valid, never twice, the same again after a crash, and better than chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import builders
import pytest

from ose.core.architecture import Architecture
from ose.core.spec import Hyperparameters, Limits, SearchSpec, WorkersSpec
from ose.strategies.base import Outcome, Proposal, Strategy
from ose.strategies.optuna import OptunaStrategy, objective_values
from ose.strategies.registry import build_strategy

SPACE = builders.search_space(
    num_hidden_layers=(1, 2, 3, 4),
    num_attention_heads=(2, 3, 4),
    hidden_size=(32, 48, 64, 96),
    intermediate_size=(64, 128, 192, 384),
)
MEMBERS = {member.architecture for member in SPACE.members(builders.COUNTS)}
FACTS = builders.teacher_facts()


def spec(sampler: str = "tpe", num_candidates: int = 20, workers: int = 1, limits: Limits | None = None, **search):
    asked = SearchSpec(strategy="optuna", sampler=sampler, num_candidates=num_candidates, **search)
    changes = {"workers": WorkersSpec(count=workers), "limits": limits or Limits()}
    return builders.job_spec(space=SPACE, search=asked, **changes)


def outcome(shape: Architecture) -> Outcome:
    """The best is in the middle."""
    away = abs(shape.num_hidden_layers - 3) + abs(shape.hidden_size - 64) / 32 + abs(shape.intermediate_size - 192) / 64
    latency = float(shape.num_hidden_layers * shape.hidden_size)
    return Outcome(has_passed=True, score=1 / (1 + away), loss_nats=1 + away, latency_p50_ms=latency)


def run(strategy: Strategy, tell: Callable[[Architecture], Outcome] = outcome) -> list[list[Proposal]]:
    """Waves, with outcomes told last first."""
    waves = []
    while wave := strategy.ask():
        waves.append(list(wave))
        for proposal in reversed(wave):
            strategy.tell(proposal.number, tell(proposal.architecture))
    return waves


def shapes(waves: list[list[Proposal]]) -> list[Architecture]:
    return [proposal.architecture for wave in waves for proposal in wave]


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_proposals_are_members_each_once_and_numbered_in_order(sampler: str) -> None:
    waves = run(build_strategy(spec(sampler, workers=3), FACTS))
    found = shapes(waves)
    assert len(found) == len(set(found)) == 20 and set(found) <= MEMBERS
    assert [len(wave) for wave in waves] == [6, 6, 6, 2]
    assert [proposal.number for wave in waves for proposal in wave] == list(range(1, 21))


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_a_new_strategy_told_the_same_proposes_the_same(sampler: str) -> None:
    first = run(build_strategy(spec(sampler), FACTS))
    told = {proposal.number: outcome(proposal.architecture) for wave in first for proposal in wave}
    again, waves = build_strategy(spec(sampler), FACTS), []
    while wave := again.ask():
        waves.append(list(wave))
        for proposal in wave:
            again.tell(proposal.number, told[proposal.number])
    assert waves == first
    assert run(build_strategy(spec(sampler, seed=1), FACTS)) != first


@pytest.mark.slow
def test_gp_proposes_the_same_again_and_learns() -> None:
    found = shapes(run(build_strategy(spec("gp", num_candidates=12, wave=4), FACTS)))
    assert found == shapes(run(build_strategy(spec("gp", num_candidates=12, wave=4), FACTS)))
    assert fmean(outcome(each).score for each in found[-4:]) > fmean(outcome(each).score for each in found[:4])


def test_what_is_learnt_moves_proposals_to_better_members() -> None:
    early, late = [], []
    for seed in range(5):
        found = shapes(run(build_strategy(spec(num_candidates=24, seed=seed), FACTS)))
        scores = [outcome(each).score for each in found]
        early, late = early + scores[:6], late + scores[12:]
    assert fmean(late) > 1.2 * fmean(early)


def test_nothing_is_proposed_before_the_wave_has_ended() -> None:
    strategy = build_strategy(spec(), FACTS)
    first, second = strategy.ask()
    assert list(strategy.ask()) == []
    strategy.tell(first.number, outcome(first.architecture))
    assert list(strategy.ask()) == []
    strategy.tell(second.number, Outcome())
    assert strategy.ask()


def test_a_search_larger_than_its_space_ends_with_the_space() -> None:
    assert set(shapes(run(build_strategy(spec(num_candidates=1000, wave=16), FACTS)))) == MEMBERS


@pytest.mark.parametrize("sampler", ["tpe", "nsgaii"])
def test_a_search_in_which_everything_fails_goes_on(sampler: str) -> None:
    assert len(shapes(run(build_strategy(spec(sampler), FACTS), lambda _: Outcome()))) == 20


def test_what_has_too_many_parameters_is_not_proposed() -> None:
    limit = sorted(builders.COUNTS.parameters(each).total for each in MEMBERS)[9]
    found = shapes(run(build_strategy(spec(num_candidates=50, limits=Limits(max_parameters=limit)), FACTS)))
    assert len(found) >= 10 and {builders.COUNTS.parameters(each).total <= limit for each in found} == {True}


def test_theta_and_layers_are_axes_too() -> None:
    space = builders.search_space(num_hidden_layers=(2, 3), layers=("bottom", "top", (0, 3)))
    theta = (Hyperparameters(), Hyperparameters(learning_rate=1e-4))
    asked = SearchSpec(strategy="optuna", num_candidates=1000, hyperparameters=theta, wave=16)
    waves = run(build_strategy(builders.job_spec(space=space, search=asked), FACTS))
    found = {(each.architecture, each.layers, each.hyperparameters) for wave in waves for each in wave}
    assert len(found) == 2 * space.count(4)


@pytest.mark.parametrize(
    ("sampler", "told", "values"),
    [
        ("tpe", Outcome(has_passed=True, score=0.3), [0.3]),
        ("tpe", Outcome(has_passed=False, score=0.3), [0.0]),
        ("tpe", Outcome(), [0.0]),
        ("tpe", Outcome(has_passed=True, score=float("nan")), [0.0]),
        ("nsgaii", Outcome(has_passed=True, latency_p50_ms=2.0, loss_nats=4.0), [2.0, 4.0]),
        ("nsgaii", Outcome(latency_p50_ms=2.0), None),
    ],
)
def test_samplers_are_told_the_objectives_that_they_are_for(sampler: str, told: Outcome, values) -> None:
    assert objective_values(spec(sampler).search, told) == values


def test_the_default_wave_keeps_all_workers_busy() -> None:
    assert isinstance(strategy := build_strategy(spec(workers=4), FACTS), OptunaStrategy)
    assert len(strategy.ask()) == 8
    one = replace(spec().search, wave=1)
    assert len(build_strategy(builders.job_spec(space=SPACE, search=one), FACTS).ask()) == 1
