"""Who is calling, and whether they may: bearer tokens with scopes, and patience that ends."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ose.api.context import CurrentWorkspace, Options
from ose.core.access import Scope, Token
from ose.errors import ForbiddenError, TooManyFailuresError, UnauthenticatedError

_MAX_FAILURES = 10
_WINDOW_S = 60.0
_MAX_ADDRESSES = 10_000
"""Addresses remembered; whoever has more of them is not held up by a limit for each."""

_BEARER = HTTPBearer(auto_error=False, description="Made by `ose token create`.")
NOBODY = "anyone"
"""The caller of a server that asks for no tokens."""


class FailureLimit:
    """Counts the wrong tokens of each address, in this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Let an address try.

        Raises:
            TooManyFailuresError: It has failed too often within the last minute.
        """
        with self._lock:
            recent = self._failures.get(address, deque())
            while recent and recent[0] <= self._clock() - _WINDOW_S:
                recent.popleft()
            if len(recent) >= _MAX_FAILURES:
                raise TooManyFailuresError(f"{_MAX_FAILURES} wrong tokens in a minute; wait for one")

    def count(self, address: str) -> None:
        """A wrong token came from this address."""
        with self._lock:
            self._failures.setdefault(address, deque()).append(self._clock())
            self._failures.move_to_end(address)
            if len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)


async def _caller(
    request: Request,
    workspace: CurrentWorkspace,
    options: Options,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Token | None:
    """The token shown; None where the server asks for none."""
    if not options.requires_token:
        return None
    limit: FailureLimit = request.app.state.failures
    address = request.client.host if request.client else ""
    limit.check(address)
    try:
        shown = credentials.credentials if credentials else ""
        return await to_thread.run_sync(workspace.tokens.check, shown, limiter=request.app.state.limits.token_checks)
    except UnauthenticatedError:
        if credentials is not None:  # who shows nothing is not guessing
            limit.count(address)
        raise


CallerToken = Annotated[Token | None, Depends(_caller)]


def requires(scope: Scope) -> Callable[[Token | None], str]:
    """A dependency that lets callers of a scope pass, and says who they are."""

    async def check(token: CallerToken) -> str:
        if token is not None and not token.scope.covers(scope):
            raise ForbiddenError(f"this needs a token of scope {scope}; yours has {token.scope}")
        return NOBODY if token is None else token.id

    return check


_reader = requires(Scope.READ)
Reader = Depends(_reader)
CallerId = Annotated[str, Depends(_reader)]
Submitter = Annotated[str, Depends(requires(Scope.SUBMIT))]
Admin = Depends(requires(Scope.ADMIN))
