"""What a caller may ask of a service beside a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ose.core.access import Scope
from ose.errors import InvalidInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRequest:
    """A full distillation.

    Attributes:
        candidate: Number of the candidate; None takes the job's best.
        changes: Fields of the job's `distillation` to override.
        workers: Processes that train together.
    """

    __pydantic_config__ = {"extra": "forbid"}

    candidate: int | None = None
    changes: dict[str, Any] = field(default_factory=dict)
    workers: int = 1

    def __post_init__(self) -> None:
        if self.candidate is not None and not 1 <= self.candidate < 2**31:
            raise InvalidInputError(f"candidate must be a number of the job's, not {self.candidate}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRequest:
    """A longer training of a job's leaders.

    Attributes:
        steps: Training steps in all, more than the job had.
        top: How many of its best candidates; None takes the first group of the leaderboard.
    """

    __pydantic_config__ = {"extra": "forbid"}

    steps: int
    top: int | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "top"):
            value = getattr(self, name)
            if value is not None and not 1 <= value < 2**31:
                raise InvalidInputError(f"{name} must be at least 1, not {value}")


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
    valid_days: int | None = None
