"""Who may do what on a shared service."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a token allows. Each scope includes the ones above it."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"

    def covers(self, needed: Scope) -> bool:
        """Whether a token of this scope may do what asks for `needed`."""
        order = list(Scope)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is known of an access token. The secret itself is known to its holder alone.

    Attributes:
        id: The public part, by which it is listed and revoked.
        name: Whose it is, or what for.
        scope: What it allows.
        created_at: When it was made.
        expires_at: From then on it is refused; None never.
        revoked_at: When somebody withdrew it.
    """

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it opens anything at this moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The token that something was asked for with, as it is shown.

    Attributes:
        id: The token's public part.
        name: The token's.
    """

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Caller:
    """One who asks a service for something: the holder of a token, or, where none is asked for, this machine's user."""

    token: Token | None = None

    @property
    def owner(self) -> str | None:
        """Whose a thing is that the caller asks for: the token's id; None is this machine."""
        return None if self.token is None else self.token.id

    def may_change(self, owner: Owner | None) -> bool:
        """Whether it may stop or delete what is `owner`'s: its own, or as an administrator everything."""
        if self.token is None or self.token.scope.covers(Scope.ADMIN):
            return True
        return owner is not None and owner.id == self.token.id


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuota:
    """How many jobs a token may have.

    Attributes:
        max_queued: That wait.
        max_kept: In all, ended ones too.
    """

    max_queued: int
    max_kept: int
