"""How large a search may be: its axes, its members, its candidates. Nothing is listed to find out."""

from __future__ import annotations

import math

from ose.core.bounds import shown
from ose.core.job import TeacherFacts
from ose.core.search_space import AXES, SearchSpace
from ose.core.spec import JobSpec
from ose.errors import SearchSpaceError
from ose.limits import require_within

_COUNTED_AT_ONCE = 1_000_000
"""Pairs of heads and hidden sizes that are looked at in a tenth of a second."""


def require_short_axis(place: str, num_values: int) -> None:
    """Refuse an axis of too many values, before anything is made of them.

    Raises:
        SearchSpaceError: It has more than the operator allows; `place` says which.
    """
    require_within("max_axis_values", num_values, f"{place} has {shown(num_values)} values", SearchSpaceError)


def require_small_space(space: SearchSpace, num_teacher_layers: int | None = None) -> None:
    """Refuse a space that would take too long to go through.

    Raises:
        SearchSpaceError: An axis or the space is larger than the operator allows.
    """
    for axis in (*AXES, "layers"):
        require_short_axis(f"space {space.name!r}: {axis}", len(getattr(space, axis)))
    size = space.count(num_teacher_layers)
    require_within("max_space_members", size, f"space {space.name!r} has {size:,} members", SearchSpaceError)


def require_small_search(spec: JobSpec, teacher: TeacherFacts) -> None:
    """Refuse a job of too many candidates, or of too large a space to find them in.

    Raises:
        SearchSpaceError: It asks for more than the operator allows; the message says what would be fewer.
    """
    require_small_space(spec.space, teacher.architecture.num_hidden_layers)
    if spec.search.strategy == "optuna":
        points = _num_grid_points(spec)
        what = f"the grid of space {spec.space.name!r}, which optuna looks through, has {points:,} points"
        require_within("max_space_members", points, what, SearchSpaceError)
    count = num_candidates(spec, teacher)
    fewer = "search.num_candidates lowers" if spec.search.num_candidates else "search.epsilon divides"
    what = f"the search has {count:,} candidates (which {fewer})"
    require_within("max_candidates", count, what, SearchSpaceError)


def num_candidates(spec: JobSpec, teacher: TeacherFacts) -> int:
    """Candidates that a job begins with; of halving, those of the first round."""
    if spec.extends is not None:
        return len(spec.extends.candidates)
    total = spec.space.count(teacher.architecture.num_hidden_layers)
    num_thetas = len(spec.search.hyperparameters)
    if spec.search.num_candidates is not None:
        return min(spec.search.num_candidates, total * num_thetas)
    return -(-total // spec.search.epsilon) * num_thetas


def known_size(space: SearchSpace, num_teacher_layers: int) -> int | None:
    """The members of a space whose size was not stored with its job; None where counting would hold up a list."""
    return space.count(num_teacher_layers) if space.num_pairs <= _COUNTED_AT_ONCE else None


def _num_grid_points(spec: JobSpec) -> int:
    axes = [len(getattr(spec.space, axis)) for axis in AXES]
    return math.prod([*axes, max(1, len(spec.space.layers)), len(spec.search.hyperparameters)])
