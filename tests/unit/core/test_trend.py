from __future__ import annotations

import random

import pytest

from ose.core.trend import expected_gain_nats


def curve(fall: float, noise: float = 0.0, seed: int = 0, count: int = 30) -> list[float]:
    """Batches are hard or easy for everyone; `fall` is what a step brings."""
    shared, own = random.Random(1), random.Random(seed)
    return [6 + shared.gauss(0, 1) - fall * step + own.gauss(0, noise) for step in range(count)]


def test_what_falls_faster_gains_whatever_the_batches() -> None:
    # Ten steps lie between the middle of one third and that of the next.
    assert expected_gain_nats(curve(0.03), curve(0.01)) == pytest.approx(2 * 10 * 0.02)


def test_what_falls_slower_or_alike_gains_nothing() -> None:
    assert expected_gain_nats(curve(0.01), curve(0.03)) == 0.0
    assert expected_gain_nats(curve(0.01), curve(0.01)) == 0.0


def test_noise_is_no_gain() -> None:
    gains = [expected_gain_nats(curve(0.01, 0.3, seed), curve(0.01, 0.3, seed + 1000)) for seed in range(200)]
    assert sum(gain > 0 for gain in gains) < 12  # one side of two standard errors


@pytest.mark.parametrize(("own", "other"), [([], []), ([1.0] * 5, [1.0] * 5), (curve(0.1), curve(0.0, count=29))])
def test_curves_that_cannot_be_compared_show_no_gain(own: list[float], other: list[float]) -> None:
    assert expected_gain_nats(own, other) == 0.0
