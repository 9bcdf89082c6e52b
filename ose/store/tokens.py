"""Access tokens on SQL."""
# ruff: noqa: D102 - ose.store.service_base describes the methods

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import datetime

from sqlalchemy import insert, select, update

from ose.core.access import Token
from ose.store.service_tables import TOKENS
from ose.store.transactions import Transactions, changes_one

_FACTS = [TOKENS.c[field.name] for field in fields(Token)]

_ANY = select(TOKENS.c.id).limit(1)


class SqlTokens:
    """The part of a Store that is about access tokens."""

    _transactions: Transactions

    def add_token(self, token: Token, digest: str) -> None:
        with self._transactions.write() as connection:
            connection.execute(insert(TOKENS).values(digest=digest, **asdict(token)))

    def token(self, token_id: str) -> tuple[Token, str] | None:
        query = select(*_FACTS, TOKENS.c.digest).where(TOKENS.c.id == token_id)
        with self._transactions.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (Token(**dict(zip(row._fields[:-1], row[:-1], strict=True))), row.digest)

    def tokens(self) -> list[Token]:
        with self._transactions.read() as connection:
            found = connection.execute(select(*_FACTS).order_by(TOKENS.c.created_at, TOKENS.c.id))
            return [Token(**row._mapping) for row in found]

    def has_tokens(self) -> bool:
        with self._transactions.read() as connection:
            return connection.execute(_ANY).first() is not None

    def revoke_token(self, token_id: str, now: datetime) -> bool:
        is_open = TOKENS.c.revoked_at.is_(None)
        with self._transactions.write() as connection:
            return changes_one(
                connection, update(TOKENS).where(TOKENS.c.id == token_id, is_open).values(revoked_at=now)
            )
