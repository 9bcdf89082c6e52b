"""Tests ose/strategies/base.py."""

from itertools import product

import builders
import pytest

from ose.core.search_space import Member
from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.base import Outcome, Proposal
from ose.strategies.exhaustive import OseStrategy
from ose.strategies.registry import build_strategy

SPACE = builders.search_space(
    num_hidden_layers=(1, 2, 3), hidden_size=(32, 64, 96), layers=("bottom", "top", (0, 3), "influence")
)
MEMBERS = list(SPACE.members(builders.COUNTS))
SLOW, FAST = Hyperparameters(learning_rate=1e-4), Hyperparameters(learning_rate=1e-3)


def proposed(proposal: Proposal) -> Member:
    return Member(architecture=proposal.architecture, layers=proposal.layers)


@pytest.mark.parametrize("epsilon", [1, 2, 5, len(MEMBERS) - 1, len(MEMBERS), len(MEMBERS) + 1])
def test_every_epsilonth_member_is_visited_from_the_smallest_on(epsilon: int) -> None:
    spec = builders.job_spec(space=SPACE, search=SearchSpec(epsilon=epsilon))
    proposals = build_strategy(spec, builders.teacher_facts()).ask()
    assert [proposed(each) for each in proposals] == MEMBERS[::epsilon]


def test_each_member_meets_all_of_theta() -> None:
    proposals = OseStrategy(MEMBERS, [SLOW, FAST], 3).ask()
    assert [(proposed(p), p.hyperparameters) for p in proposals] == list(product(MEMBERS, [SLOW, FAST]))


def test_numbers_follow_the_order_from_one() -> None:
    proposals = OseStrategy(MEMBERS, [SLOW, FAST], 3).ask()
    assert [proposal.number for proposal in proposals] == list(range(1, 2 * len(MEMBERS) + 1))


def test_a_job_is_proposed_as_its_spec_says() -> None:
    spec = builders.job_spec(space=SPACE, search=SearchSpec(epsilon=7, steps=42, hyperparameters=(FAST,)))
    proposals = build_strategy(spec, builders.teacher_facts()).ask()
    assert [proposed(p) for p in proposals] == MEMBERS[::7]
    assert {(p.num_steps, p.hyperparameters) for p in proposals} == {(42, FAST)}


def test_all_is_proposed_at_once_and_nothing_after_outcomes() -> None:
    strategy = OseStrategy(MEMBERS, [SLOW], 3)
    assert strategy.ask()
    strategy.tell(1, Outcome(score=1.0, loss_nats=2.0, latency_p50_ms=3.0))
    assert list(strategy.ask()) == []


def test_layers_that_are_the_same_in_this_teacher_are_proposed_once() -> None:
    space = builders.search_space(num_hidden_layers=(2, 3, 4), layers=("alternate", "bottom", (0, 2), (0, 3)))
    spec = builders.job_spec(space=space)
    proposals = build_strategy(spec, builders.teacher_facts()).ask()  # a teacher of four layers
    kept = {depth: [] for depth in (2, 3, 4)}
    for each in proposals:
        kept[each.architecture.num_hidden_layers].append(each.layers)
    per_depth = len(proposals) // (3 + 1 + 1)
    assert kept[2] == per_depth * ["alternate", "bottom", (0, 3)]
    assert kept[3] == per_depth * ["alternate"]
    assert kept[4] == per_depth * ["alternate"]
    assert len(proposals) == space.count(num_teacher_layers=4) < space.size


def test_a_new_strategy_proposes_what_the_old_one_did() -> None:
    spec = builders.job_spec(space=SPACE, search=SearchSpec(epsilon=3, hyperparameters=(SLOW, FAST)))
    facts = builders.teacher_facts()
    assert build_strategy(spec, facts).ask() == build_strategy(spec, facts).ask()
