"""The order of a leaderboard, and its Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

Objectives = tuple[float, ...]
"""Values to be minimised, the same ones in the same order for every member."""


def pareto_front(points: Sequence[Objectives]) -> list[bool]:
    """Which points no other point beats: better or equal in all objectives, better in one.

    Sorted first, a point can only be beaten by an earlier one, so each is compared with the front
    found so far. Equal points stand or fall together.

    Args:
        points: One tuple a member.

    Returns:
        True for members of the front, in the order of `points`.
    """
    front: list[Objectives] = []
    for point in sorted(set(points)):
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) for other in front):
            front.append(point)
    members = set(front)
    return [point in members for point in points]
