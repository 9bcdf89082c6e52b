"""Make access tokens, and tell whose a shown one is."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from ose.core.access import Scope, Token
from ose.errors import InvalidInputError, NotFoundError, UnauthenticatedError
from ose.service.texts import require_name
from ose.store.base import Store

_PREFIX = "ose"
"""Begins every token, so that people and scanners for leaked secrets recognise one."""

_REFUSAL = "a valid token is needed: Authorization: Bearer ..."
_ID = re.compile(r"[0-9a-f]{8}")
_MAX_DAYS = 3650
_UNKNOWN = hashlib.sha256(b"").hexdigest()


class TokenKeeper:
    """The tokens of a database."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now

    def create(self, name: str, scope: Scope, valid_days: int | None = None) -> tuple[Token, str]:
        """Store a new token.

        Returns:
            What is known of it, and the token itself, which cannot be shown again: only its digest is kept.

        Raises:
            InvalidInputError: The name is none, or not even a day is left to it.
        """
        require_name(name, "a token's name, whose it is, or what for,")
        if valid_days is not None and not 1 <= valid_days <= _MAX_DAYS:
            raise InvalidInputError(f"a token is valid for 1 to {_MAX_DAYS} days, not {valid_days}")
        moment = self._now()
        expires_at = None if valid_days is None else moment + timedelta(days=valid_days)
        token = Token(id=secrets.token_hex(4), name=name, scope=scope, created_at=moment, expires_at=expires_at)
        secret = secrets.token_urlsafe(32)
        self._store.add_token(token, _digest(secret))
        return token, f"{_PREFIX}_{token.id}_{secret}"

    def list(self) -> list[Token]:
        """All tokens, oldest first."""
        return self._store.tokens()

    def has_valid(self) -> bool:
        """Whether anybody could show one."""
        return any(token.is_valid(self._now()) for token in self._store.tokens())

    def check(self, shown: str) -> Token:
        """The token that is shown.

        Raises:
            UnauthenticatedError: It is malformed, unknown, revoked or expired; which of these is not told.
        """
        prefix, _, rest = shown.partition("_")
        token_id, _, secret = rest.partition("_")
        known = self._store.token(token_id) if prefix == _PREFIX and _ID.fullmatch(token_id) else None
        token, digest = known or (None, _UNKNOWN)
        if not hmac.compare_digest(_digest(secret), digest) or token is None or not token.is_valid(self._now()):
            raise UnauthenticatedError(_REFUSAL)
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
        return known[0]


def _digest(secret: str) -> str:
    # A plain hash is right here: slow ones protect what people make up, and nobody finds 256 random bits by trying.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
