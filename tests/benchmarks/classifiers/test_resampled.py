"""Intervals of differences and of orders, on figures that are known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.classifiers.resampled import Grouped, agreements, mean_difference, ratio


def hits(share: float, count: int = 400, seed: int = 0) -> str:
    return "".join("1" if each < share else "0" for each in np.random.default_rng(seed).random(count))


EACH = [str(place) for place in range(400)]


def test_accuracies_are_of_rows_whatever_the_groups() -> None:
    assert Grouped(["1100", "1110"], ["a", "a", "a", "b"]).accuracy() == pytest.approx(5 / 8)


def test_lines_of_one_sentence_count_as_one_item() -> None:
    """Ten copies of each item say no more than one."""
    once, other = hits(0.8), hits(0.75, seed=1)
    of_each = mean_difference([("task", Grouped([once], EACH), Grouped([other], EACH))])
    copies = [place for place in EACH for _ in range(10)]
    ten = [Grouped(["".join(bit * 10 for bit in text)], copies) for text in (once, other)]
    of_copies = mean_difference([("task", ten[0], ten[1])])
    assert of_copies.value == pytest.approx(of_each.value)
    assert of_copies.high - of_copies.low == pytest.approx(of_each.high - of_each.low, rel=0.1)


def test_models_that_err_alike_differ_surely_and_seeds_count() -> None:
    base = hits(0.8)
    better = "1" * 20 + base[20:]
    pair = mean_difference([("task", Grouped([better], EACH), Grouped([base], EACH))])
    alone = mean_difference([("task", Grouped([better], EACH), Grouped([hits(0.8, seed=3)], EACH))])
    assert pair.high - pair.low < (alone.high - alone.low) / 2
    seeds = Grouped([base, "0" * 400], EACH)
    spread = mean_difference([("task", seeds, Grouped([base], EACH))])
    assert spread.low < -0.7 and spread.high > -0.1


def test_shares_of_a_lead() -> None:
    own, teacher, floor = (Grouped([hits(share)], EACH) for share in (0.85, 0.9, 0.8))
    told = [each.accuracy() for each in (own, teacher, floor)]
    lead = ratio(own, teacher, floor)
    assert lead.value == pytest.approx((told[0] - told[2]) / (told[1] - told[2]))
    assert lead.low < lead.value < lead.high and ratio(own, teacher, None).value > lead.value


def test_orders_that_agree_and_those_that_do_not() -> None:
    generator = np.random.default_rng(0)
    truth = np.linspace(1, 2, 20)[:, None] + 0.01 * generator.standard_normal((20, 50))
    found = agreements({"same": truth + 3, "none": generator.random(20), "turned": -truth}, truth, noise=0.0)
    assert found["same"].tau.value == 1 and found["same"].share_reaching == 1
    assert found["turned"].tau.value == -1 and found["turned"].share_reaching == 0
    assert found["none"].tau.low < 0 < found["none"].tau.high
    noisy = agreements({"same": truth}, truth, noise=0.3)["same"]
    assert noisy.tau.low < 0.9
