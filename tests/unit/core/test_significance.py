"""Whether A is better than B: paired errors of losses and scores, and what the latencies add."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean, stdev

import builders
import pytest

from ose.core.score import Measures, ScoreRule, score
from ose.core.significance import Judged, Scale, is_significant, paired_difference, score_difference

TEACHER = Measures(num_parameters=100, latency_ms=100.0, loss_nats=2.0)
SCALE = Scale(teacher=TEACHER, rule=ScoreRule())
HALF = Measures(num_parameters=50, latency_ms=50.0, loss_nats=math.nan)


def judged(losses: Sequence[float], scale: Scale = SCALE, hidden: int = 32, **changes: float) -> Judged:
    return Judged(
        architecture=builders.architecture(hidden=hidden),
        measures=replace(HALF, loss_nats=fmean(losses), **changes),
        sequence_losses_nats=tuple(losses),
        scale=scale,
    )


def test_what_both_losses_share_falls_out() -> None:
    hardness = [1.0, 5.0, 2.0, 9.0]
    difference = paired_difference([each + 0.5 for each in hardness], hardness)
    assert difference.mean_nats == pytest.approx(0.5)
    assert difference.stderr_nats == pytest.approx(0.0, abs=1e-9)
    assert difference.is_significant


def test_the_standard_error_is_that_of_the_mean_difference() -> None:
    difference = paired_difference([1.0, 2.0, 3.0, 6.0], [0.0, 0.0, 0.0, 0.0])
    assert difference.mean_nats == 3.0
    assert difference.stderr_nats == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))


def test_a_single_sequence_tells_nothing_apart() -> None:
    difference = paired_difference([1.0], [0.0])
    assert math.isnan(difference.stderr_nats) and not difference.is_significant


def test_sequences_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 2.0], [1.0])


def test_two_standard_errors_are_the_threshold_in_both_directions() -> None:
    assert not is_significant(2.0, 1.0) and is_significant(2.1, 1.0) and is_significant(-2.1, 1.0)
    assert is_significant(1e-9, 0.0) and not is_significant(0.0, 0.0)


@pytest.mark.parametrize("formula", ["w", "excess"])
def test_the_error_of_a_score_difference_is_that_of_repeated_draws(formula: str) -> None:
    """Sequences are drawn anew, and their hardness moves losses and entropy alike; latencies are measured anew."""
    draw, rule = random.Random(0), ScoreRule(formula=formula, exponents=(1, 0.5, 1))
    differences, told = [], []
    for _ in range(400):
        hard = [draw.gauss(4, 1) for _ in range(50)]
        entropies = tuple(each - 1 + draw.gauss(0, 0.05) for each in hard)
        teacher = replace(TEACHER, loss_nats=fmean(entropies))
        scale = Scale(teacher=teacher, rule=rule, sequence_entropies_nats=entropies)
        losses = [[own + by + draw.gauss(0, 0.1) for own in hard] for by in (0.0, 0.3)]
        pair = [
            judged(each, scale, hidden, latency_stderr_ms=0.5) for each, hidden in zip(losses, (32, 64), strict=True)
        ]
        noisy = [score(replace(each.measures, latency_ms=draw.gauss(50, 0.5)), teacher, rule).value for each in pair]
        differences.append(noisy[1] - noisy[0])
        told.append(score_difference(pair[1], pair[0]).stderr)
    assert fmean(told) == pytest.approx(stdev(differences), rel=0.25 if formula == "w" else 0.15)


def test_without_the_entropies_the_error_of_excess_is_an_upper_bound() -> None:
    hard = [3.0, 5.0, 4.0, 8.0]
    entropies = tuple(each - 1 for each in hard)
    teacher = replace(TEACHER, loss_nats=fmean(entropies))
    known = Scale(teacher=teacher, rule=ScoreRule(formula="excess"), sequence_entropies_nats=entropies)
    unknown = replace(known, sequence_entropies_nats=())
    one, other = [each + 0.1 for each in hard], [each + 0.5 for each in hard]
    exact, bound = (
        score_difference(judged(one, scale), judged(other, scale, 64, latency_ms=10.0)) for scale in (known, unknown)
    )
    assert exact.value == bound.value and exact.stderr == pytest.approx(0.0, abs=1e-9)
    assert bound.stderr > 0.5 * abs(bound.value)


def test_candidates_of_one_shape_share_the_error_of_their_latency() -> None:
    losses = [4.0, 6.0]
    one, same = judged(losses, latency_stderr_ms=5.0), judged(losses, latency_stderr_ms=5.0)
    other = judged(losses, hidden=64, latency_stderr_ms=5.0)
    assert score_difference(one, same).stderr == pytest.approx(0.0, abs=1e-9)
    assert score_difference(one, other).stderr == pytest.approx(math.sqrt(2) * 0.5 * 0.05 / 5)


def test_a_candidate_beside_the_clamp_is_told_from_one_far_from_it() -> None:
    """0.020 ± 0.029 once did not differ from 1.898 ± 0.371: its latency's error was stretched to the other's score."""
    best = judged([0.2, 0.22], latency_ms=24.0, latency_stderr_ms=2.0)
    slow = judged([0.19, 0.21], hidden=64, latency_ms=99.0, latency_stderr_ms=1.5)
    difference = score_difference(slow, best)
    assert slow.score < 0.03 < 1.5 < best.score
    assert difference.is_significant and difference.stderr < 0.3


def test_what_scores_nothing_differs_by_the_other_ones_error() -> None:
    slow = [judged(losses, hidden=hidden, latency_ms=200.0) for losses, hidden in (([4.0, 5.0], 32), ([5.0, 6.0], 64))]
    assert (score_difference(*slow).value, score_difference(*slow).stderr) == (0.0, 0.0)
    fast = judged([4.0, 5.0])
    assert score_difference(fast, slow[0]).stderr == pytest.approx(fast.score / 4.5 * 0.5)


def test_no_loss_in_the_rule_leaves_no_error_of_losses() -> None:
    scale = Scale(teacher=TEACHER, rule=ScoreRule(exponents=(1, 1, 0)))
    assert score_difference(judged([1.0, 9.0], scale), judged([3.0, 4.0], scale)).stderr == 0.0
