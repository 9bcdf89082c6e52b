from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ose.core.comparison import kendall_tau, paired_difference

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


def test_what_both_losses_share_falls_out() -> None:
    hardness = [1.0, 5.0, 2.0, 9.0]
    difference = paired_difference([each + 0.5 for each in hardness], hardness)
    assert difference.mean_nats == pytest.approx(0.5)
    assert difference.stderr_nats == pytest.approx(0.0, abs=1e-9)


def test_the_standard_error_is_that_of_the_mean_difference() -> None:
    difference = paired_difference([1.0, 2.0, 3.0, 6.0], [0.0, 0.0, 0.0, 0.0])
    assert difference.mean_nats == 3.0
    assert difference.stderr_nats == pytest.approx(math.sqrt((4 + 1 + 0 + 9) / 3 / 4))
    assert math.isnan(paired_difference([1.0], [0.0]).stderr_nats)


def test_sequences_must_be_the_same() -> None:
    with pytest.raises(ValueError, match="shorter"):
        paired_difference([1.0, 2.0], [1.0])


@pytest.mark.parametrize(
    ("first", "second", "tau"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4], [2, 1, 3, 4], 4 / 6),
        ([12, 2, 1, 12, 2], [1, 4, 7, 1, 0], -0.4714045207910316),  # with ties, as scipy.stats.kendalltau has it
    ],
)
def test_tau_counts_pairs(first: list[float], second: list[float], tau: float) -> None:
    assert kendall_tau(first, second) == pytest.approx(tau)


def test_one_order_that_is_none_has_no_tau() -> None:
    assert math.isnan(kendall_tau([1, 1, 1], [1, 2, 3]))
    assert math.isnan(kendall_tau([1], [1]))


@given(numbers)
def test_an_order_agrees_with_itself_and_not_with_its_reverse(values: list[float]) -> None:
    opposite = [-value for value in values]
    assert kendall_tau(values, values) == pytest.approx(1.0) or len(set(values)) == 1
    assert kendall_tau(values, opposite) == pytest.approx(-1.0) or len(set(values)) == 1
