from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ose.core.kendall import kendall_tau

numbers = st.lists(st.floats(-100, 100), min_size=2, max_size=8)


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
