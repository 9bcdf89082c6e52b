import time

from hypothesis import given
from hypothesis import strategies as st

from ose.core.pareto import Objectives, hypervolume, pareto_front

points_of_three = st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=30)
points_of_two = st.lists(st.tuples(*[st.integers(0, 8)] * 2), max_size=30)
points_of_one = st.lists(st.tuples(st.integers(0, 5)), max_size=10)


def beats(one: Objectives, other: Objectives) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


@given(points_of_three | points_of_two | points_of_one)
def test_the_front_is_whatever_no_other_point_beats(points: list[Objectives]) -> None:
    assert pareto_front(points) == [not any(beats(other, point) for other in points) for point in points]


def test_equal_points_stand_together() -> None:
    assert pareto_front([(1, 2), (2, 1), (1, 2), (2, 2)]) == [True, True, True, False]


@given(st.lists(st.tuples(*[st.floats(allow_nan=False)] * 3), max_size=40))
def test_any_figures_are_compared_as_one_by_one(points: list[Objectives]) -> None:
    assert pareto_front(points) == [not any(beats(other, point) for other in points) for point in points]


def test_many_that_trade_one_thing_for_another_all_stand() -> None:
    count = 20_000
    points = [(number, count - number, (number * 7919) % count) for number in range(count)]
    began_s = time.process_time()
    assert all(pareto_front(points))
    assert time.process_time() - began_s < 2  # comparing each with each takes minutes


def test_the_hypervolume_is_the_area_that_a_front_covers() -> None:
    assert hypervolume([(1, 2), (2, 1)], (3, 3)) == 3
    assert hypervolume([(1, 2), (2, 1), (2, 2), (2.5, 1.5), (1, 2)], (3, 3)) == 3  # beaten or equal ones add nothing
    assert hypervolume([(4, 0), (0, 4), (3, 3)], (3, 3)) == 0
    assert hypervolume([], (3, 3)) == 0
