"""Access tokens of a service, for administrators."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ose.client.parsing import segment
from ose.client.transport import Transport
from ose.core.access import Scope, Token

_TOKEN = TypeAdapter(Token)


class RemoteTokens:
    """`ose.access.token_keeper.TokenKeeper` over HTTP."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str, scope: Scope, valid_days: int | None = None) -> tuple[Token, str]:
        """Have a token made; what is returned beside it cannot be shown again."""
        asked = {"name": name, "scope": scope, "valid_days": valid_days}
        content: dict[str, Any] = self._transport.post_once("/tokens", asked)
        shown = content.pop("token")
        return _TOKEN.validate_python(content), shown

    def list(self) -> list[Token]:
        """All tokens, oldest first."""
        return [_TOKEN.validate_python(content) for content in self._transport.get("/tokens")]

    def revoke(self, token_id: str) -> Token:
        """Withdraw a token; doing so again changes nothing."""
        return _TOKEN.validate_python(self._transport.delete(f"/tokens/{segment(token_id)}"))
