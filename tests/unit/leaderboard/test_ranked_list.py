"""A list in order stays in order, and places in it are found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ose.leaderboard.ranked_list import RankedList

KEYED = st.dictionaries(st.integers(1, 50), st.sampled_from([0.0, 1.0, 2.5, float("inf")]), max_size=30)


@given(KEYED, KEYED)
def test_it_is_what_sorting_makes_of_it(first: dict[int, float], then: dict[int, float]) -> None:
    ordered = RankedList((key, number) for number, key in sorted(first.items()))
    for number, key in then.items():
        if number in first:
            ordered.remove(first[number], number)
        ordered.add(key, number)
    expected = sorted((key, number) for number, key in {**first, **then}.items())
    assert ordered.some(0, 100) == expected and len(ordered) == len(expected)
    assert ordered.some(2, 3) == expected[2:5]
    assert [ordered.num_before(*each) for each in expected] == list(range(len(expected)))
