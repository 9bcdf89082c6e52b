"""Make access tokens, and tell whose a shown one is."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

from ose.access.token_marker import TokenMarker
from ose.core.access import Scope, Token
from ose.errors import InvalidInputError, NotFoundError, StorageError, UnauthenticatedError
from ose.inputs.texts import require_name
from ose.store.base import Store

_PREFIX = "ose"
"""Begins every token, so that people and scanners for leaked secrets recognise one."""

_REFUSAL = "a valid token is needed: Authorization: Bearer ..."
_SHAPE = re.compile(rf"{_PREFIX}_([0-9a-f]{{8}})_([A-Za-z0-9_-]{{43}})")
_MAX_DAYS = 3650
_UNKNOWN = hashlib.sha256(b"").hexdigest()


class TokenKeeper:
    """The tokens of a database. Wherever one is seen, the home remembers it.

    Args:
        store: The database.
        now: The clock.
        marker: Of the home.
    """

    def __init__(self, store: Store, now: Callable[[], datetime], marker: TokenMarker) -> None:
        self._store = store
        self._now = now
        self._marker = marker

    def create(self, name: str, scope: Scope, valid_days: int | None = None) -> tuple[Token, str]:
        """Store a new token.

        Returns:
            What is known of it, and the token itself, which cannot be shown again: only its digest is kept.

        Raises:
            InvalidInputError: The name is none, or not even a day is left to it.
            StorageError: The home cannot remember it; then there is no token either.
        """
        require_name(name, "a token's name, whose it is, or what for,")
        if valid_days is not None and not 1 <= valid_days <= _MAX_DAYS:
            raise InvalidInputError(f"a token is valid for 1 to {_MAX_DAYS} days, not {valid_days}")
        moment = self._now()
        expires_at = None if valid_days is None else moment + timedelta(days=valid_days)
        token = Token(id=secrets.token_hex(4), name=name, scope=scope, created_at=moment, expires_at=expires_at)
        secret = secrets.token_urlsafe(32)
        self._marker.leave()
        self._store.add_token(token, _digest(secret))
        return token, f"{_PREFIX}_{token.id}_{secret}"

    def list(self) -> list[Token]:
        """All tokens, oldest first."""
        tokens = self._store.tokens()
        self._note(bool(tokens))
        return tokens

    def valid_ids(self) -> frozenset[str]:
        """Those that open something at this moment."""
        now = self._now()
        return frozenset(token.id for token in self.list() if token.is_valid(now))

    def exist(self) -> bool:
        """Whether the database has one, valid or not."""
        return self._note(self._store.has_tokens())

    def are_remembered(self) -> bool:
        """Whether the home remembers one, which costs a look at a file and none at the database."""
        return self._marker.is_there()

    def have_been(self) -> bool:
        """Whether there has ever been one, as far as the home remembers or the database tells."""
        return self.are_remembered() or self.exist()

    def check(self, shown: str) -> Token:
        """The token that is shown.

        Raises:
            UnauthenticatedError: It is malformed, unknown, revoked or expired; which of these is not told.
        """
        parts = _SHAPE.fullmatch(shown)  # anything else costs neither a look at the database nor a digest
        known = self._store.token(parts[1]) if parts else None
        token, digest = known or (None, _UNKNOWN)
        is_right = parts is not None and hmac.compare_digest(_digest(parts[2]), digest)
        if not is_right or token is None or not token.is_valid(self._now()):
            raise UnauthenticatedError(_REFUSAL)
        self._note(True)
        return token

    def revoke(self, token_id: str) -> Token:
        """Withdraw a token; doing so again changes nothing.

        Raises:
            NotFoundError: There is no token of this id.
        """
        self._store.revoke_token(token_id, self._now())
        known = self._store.token(token_id)
        if known is None:
            raise NotFoundError(f"there is no token {token_id!r}; `ose token list` shows them")
        self._note(True)
        return known[0]

    def _note(self, has_seen_one: bool) -> bool:
        """Have the home remember a token that was seen, where it can be written."""
        if has_seen_one:
            with suppress(StorageError):
                self._marker.leave()
        return has_seen_one


def _digest(secret: str) -> str:
    # A plain hash is right here: slow ones protect what people make up, and 256 random bits are not found by trying.
    return hashlib.sha256(secret.encode()).hexdigest()
