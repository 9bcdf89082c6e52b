"""The order of a leaderboard, and its Pareto front."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

Objectives = tuple[float, ...]
"""One to three values to be minimised, the same ones in the same order for every member."""


def pareto_front(points: Sequence[Objectives]) -> list[bool]:
    """Which points no other point beats: better or equal in all objectives, better in one.

    Sorted first, a point can only be beaten by an earlier one, so the first objective needs no second look. Of the
    other two, what has been reached so far is a staircase. Equal points stand or fall together.

    Args:
        points: One tuple a member.

    Returns:
        True for members of the front, in the order of `points`.

    Source:
        Kung, Luccio, Preparata, "On finding the maxima of a set of vectors" (1975), section 3: n log n. A list in
        place of their tree moves its tail at each step, which for any number that is ever trained takes less.
    """
    stairs = _Stairs()
    front = {point for point in sorted(set(points)) if stairs.add(*_last_two(point))}
    return [point in front for point in points]


def beats(one: Objectives, other: Objectives) -> bool:
    """Whether a point is at least as good as another in all objectives, and better in one."""
    return one != other and all(mine <= theirs for mine, theirs in zip(one, other, strict=True))


def _last_two(point: Objectives) -> tuple[float, float]:
    _, second, third = point + (0.0,) * (3 - len(point))
    return second, third


class _Stairs:
    """Points of a plane that no other one beats: from left to right, each is lower than the one before."""

    def __init__(self) -> None:
        self._lefts: list[float] = []
        self._heights: list[float] = []

    def add(self, left: float, height: float) -> bool:
        """Take a point in, unless one that is here already is at least as good in both."""
        before = bisect_right(self._lefts, left)
        if before and self._heights[before - 1] <= height:
            return False
        begin = end = bisect_left(self._lefts, left)
        while end < len(self._heights) and self._heights[end] >= height:
            end += 1
        self._lefts[begin:end], self._heights[begin:end] = [left], [height]
        return True


def hypervolume(points: Iterable[tuple[float, float]], reference: tuple[float, float]) -> float:
    """The area between a front and a reference point: how much of what is possible a set of members covers.

    Args:
        points: Two objectives each, to be minimised. Those that no part of the area lies behind add nothing.
        reference: The worst that counts, in both.

    Source:
        Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms" (1998), in two dimensions.
    """
    area, ceiling = 0.0, reference[1]
    for left, height in sorted(points):
        if left < reference[0] and height < ceiling:
            area += (reference[0] - left) * (ceiling - height)
            ceiling = height
    return area
