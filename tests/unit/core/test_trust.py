"""Leaders against the best one: paired errors, groups, and how well a second measurement would agree."""

from __future__ import annotations

import math
import random
from statistics import fmean

import builders
import pytest

from ose.core.kendall import kendall_tau
from ose.core.score import Measures, ScoreRule
from ose.core.significance import Judged, Scale
from ose.core.spec import Hyperparameters
from ose.core.trust import Leader, compare_leaders, expected_tau

TEACHER = Measures(num_parameters=100, latency_ms=100.0, loss_nats=2.0)
BY_LOSS = ScoreRule(exponents=(0, 0, 1))


def leader(number: int, losses: list[float], rule: ScoreRule = BY_LOSS, **changes: object) -> Leader:
    values = {
        "architecture": builders.architecture(hidden=2 * number),
        "measures": Measures(num_parameters=50, latency_ms=50.0, loss_nats=fmean(losses)),
        "sequence_losses_nats": tuple(losses),
        "scale": Scale(teacher=TEACHER, rule=rule),
    }
    own = {name: changes.pop(name) for name in list(changes) if name in values}
    known = {"phases": (60,), "hyperparameters": Hyperparameters(), **changes}
    return Leader(number=number, judged=Judged(**{**values, **own}), **known)


HARDNESS = [1.0, 7.0, 3.0, 9.0]


def shifted(number: int, by: float, noise: float = 0.0, **changes: object) -> Leader:
    """Harder sequences are harder for everyone; `noise` moves two up and two down."""
    signs = (1, -1, -1, 1)
    return leader(number, [each + by + noise * sign for each, sign in zip(HARDNESS, signs, strict=True)], **changes)


def test_what_makes_a_sequence_hard_does_not_blur_a_difference() -> None:
    _, distances = compare_leaders([shifted(1, 0.0), shifted(2, 0.1)])
    assert distances[1].loss_nats == distances[1].score == distances[1].score_stderr == 0.0
    assert distances[2].loss_nats == pytest.approx(0.1)
    assert distances[2].loss_stderr_nats == pytest.approx(0.0, abs=1e-7)
    assert distances[2].score == pytest.approx(1 / 5.1 - 1 / 5.0)
    assert distances[2].group == 2


def test_a_group_is_what_does_not_differ_from_its_first_wherever_it_ranks() -> None:
    # The third is as far from the best as the second is further, but its own error is large.
    leaders = [shifted(1, 0.0), shifted(2, 0.1), shifted(3, 0.2, noise=0.5), shifted(4, 0.3)]
    trust, distances = compare_leaders(leaders)
    assert [distances[number].group for number in (1, 2, 3, 4)] == [1, 2, 1, 3]
    assert (trust.num_leaders, trust.num_not_apart) == (4, 2)


def test_three_times_the_steps_are_advised_only_where_the_best_is_not_alone() -> None:
    apart = compare_leaders([shifted(1, 0.0), shifted(2, 0.1)])[0]
    assert (apart.num_not_apart, apart.extend_to_steps) == (1, None)
    close = compare_leaders([shifted(1, 0.0), shifted(2, 0.1, noise=0.5)])[0]
    assert (close.num_not_apart, close.num_steps, close.extend_to_steps) == (2, 60, 180)


FALLING = {"training_losses_nats": tuple(5 - step / 20 for step in range(60))}
LEVEL = {"training_losses_nats": tuple(5.0 for _ in range(60))}


def test_who_may_pass_the_best_by_its_learning_curve_is_counted() -> None:
    """Falling gains a nat a third, and so two nats by three times the steps."""

    def num_gaining(by: float, **changes: object) -> int:
        leaders = [shifted(1, 0.0, **LEVEL), shifted(2, by, **{**FALLING, **changes}), shifted(3, by, **LEVEL)]
        trust = compare_leaders(leaders)[0]
        assert trust.extend_to_steps == (180 if trust.num_gaining else None)
        return trust.num_gaining

    assert num_gaining(1.5) == 1
    assert num_gaining(2.5) == 0  # too far behind
    assert num_gaining(1.5, phases=(20, 60)) == num_gaining(1.5, hyperparameters=Hyperparameters(batch_size=8)) == 0


def test_nothing_is_said_without_two_sequences_of_everyone() -> None:
    assert compare_leaders([]) is None
    assert compare_leaders([leader(1, [3.0]), leader(2, [4.0])]) is None
    assert compare_leaders([leader(1, [3.0, 4.0]), leader(2, [3.0, 4.0, 5.0])]) is None
    assert compare_leaders([leader(1, [3.0, 4.0])])[0].expected_tau is None


def test_those_who_score_nothing_are_equal() -> None:
    slow = Measures(num_parameters=50, latency_ms=200.0, loss_nats=4.0)
    trust, distances = compare_leaders([shifted(n, n / 10, measures=slow, rule=ScoreRule()) for n in (1, 2)])
    assert distances[2].score == distances[2].score_stderr == 0.0
    assert trust.num_not_apart == 2 and trust.expected_tau is None


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0, 3.0, 20.0])
def test_the_expected_tau_is_that_of_two_measurements(spread: float) -> None:
    """Twelve things, measured twice with noise of one: told from the first, and found with the second."""
    draw = random.Random(1)
    told, found = [], []
    for _ in range(150):
        truth = [draw.gauss(0, spread) for _ in range(12)]
        first, second = ([value + draw.gauss(0, 1) for value in truth] for _ in range(2))
        pairs = [(first[a] - first[b], math.sqrt(2)) for a in range(12) for b in range(a)]
        told.append(expected_tau(pairs))
        found.append(kendall_tau(first, second))
    assert fmean(told) == pytest.approx(fmean(found), abs=0.07)


def test_one_noisy_candidate_does_not_hide_what_the_others_tell() -> None:
    clear = [(5.0, 1.0)] * 20
    assert expected_tau([*clear, (30.0, 100.0)]) > 0.95
    assert expected_tau([(1.0, 0.0)]) == 1.0  # known exactly
