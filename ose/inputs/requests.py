"""What a caller may ask of a service beside a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from ose.core.access import Scope
from ose.core.bounds import NUMBER, STEPS, Bounds, require_bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRequest:
    """A full distillation.

    Attributes:
        candidate: Number of the candidate; None takes the job's best.
        changes: Fields of the job's `distillation` to override.
        workers: Processes that train together.
    """

    __pydantic_config__ = {"extra": "forbid"}

    candidate: Annotated[int | None, NUMBER] = None
    changes: dict[str, Any] = field(default_factory=dict)
    workers: Annotated[int, Bounds(1, 100_000)] = 1

    def __post_init__(self) -> None:
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRequest:
    """A longer training of a job's leaders.

    Attributes:
        steps: Training steps in all, more than the job had.
        top: How many of its best candidates; None takes the first group of the leaderboard.
    """

    __pydantic_config__ = {"extra": "forbid"}

    steps: Annotated[int, STEPS]
    top: Annotated[int | None, NUMBER] = None

    def __post_init__(self) -> None:
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A new access token.

    Attributes:
        name: Whose it is, or what for.
        scope: What it allows.
        valid_days: None is for ever, until it is revoked.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    scope: Scope = Scope.READ
    valid_days: Annotated[int | None, Bounds(1, 1_000_000)] = None

    def __post_init__(self) -> None:
        require_bounds(self)
