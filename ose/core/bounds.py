"""Checks that the parts of a job share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ose.errors import InvalidInputError

MAX_SEED = 2**32 - 1
"""Generators are seeded with multiples of the seed, which have to fit into 64 bits."""


def require_positive(owner: object, *names: str) -> None:
    """Refuse an owner whose named fields are not all positive, or None."""
    for name in names:
        value = getattr(owner, name)
        if value is not None and not value > 0:
            raise InvalidInputError(f"{name} must be positive, not {value}")


def require_not_negative(owner: object, *names: str) -> None:
    """Refuse an owner with a negative one among the named fields."""
    for name in names:
        value = getattr(owner, name)
        if not value >= 0:
            raise InvalidInputError(f"{name} must not be negative, not {value}")


def require_ascending_steps(name: str, steps: Sequence[int]) -> None:
    """Refuse a list of step counts that is empty, or not positive and ascending."""
    if not steps or not all(before < after for before, after in pairwise((0, *steps))):
        raise InvalidInputError(f"{name} must be positive step counts in ascending order, not {list(steps)}")


def require_seed(seed: int) -> None:
    """Refuse a seed that generators do not take."""
    if not 0 <= seed <= MAX_SEED:
        raise InvalidInputError(f"seed must not be negative, nor above {MAX_SEED}, not {seed}")
