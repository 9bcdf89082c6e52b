from hypothesis import given
from hypothesis import strategies as st

from ose.core.ranking import Objectives, pareto_front

points_of_three = st.lists(st.tuples(*[st.integers(0, 5)] * 3), max_size=30)
points_of_one = st.lists(st.tuples(st.integers(0, 5)), max_size=10)


def beats(one: Objectives, other: Objectives) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


@given(points_of_three | points_of_one)
def test_the_front_is_whatever_no_other_point_beats(points: list[Objectives]) -> None:
    assert pareto_front(points) == [not any(beats(other, point) for other in points) for point in points]


def test_equal_points_stand_together() -> None:
    assert pareto_front([(1, 2), (2, 1), (1, 2), (2, 2)]) == [True, True, True, False]
