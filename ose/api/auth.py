"""Who is calling, and whether they may: bearer tokens with scopes, and patience that ends."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ose.access.gate import Gate
from ose.api.dependencies import CurrentWorkspace
from ose.core.access import Caller, Scope, Token
from ose.errors import ForbiddenError, TooManyFailuresError, UnauthenticatedError

_MAX_FAILURES = 10
_WINDOW_S = 60.0
_MAX_ADDRESSES = 10_000
"""Addresses remembered; a caller that has more of them is not held up by a limit for each."""

_MAX_ADDRESS = 64
"""Characters of an address that are remembered; what a proxy hands on may be no address."""

_BEARER = HTTPBearer(auto_error=False, description="Made by `ose token create`.")


class FailureLimit:
    """Counts the wrong tokens of each address, in this process. Right ones beside them are not held up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, address: str) -> None:
        """A wrong token came from this address.

        Raises:
            TooManyFailuresError: So have ten others within the last minute.
        """
        address, now = address[:_MAX_ADDRESS], self._clock()
        with self._lock:
            last = self._failures.setdefault(address, deque(maxlen=_MAX_FAILURES))
            self._failures.move_to_end(address)
            if len(self._failures) > _MAX_ADDRESSES:
                self._failures.popitem(last=False)
            if len(last) == _MAX_FAILURES and last[0] > now - _WINDOW_S:
                raise TooManyFailuresError(f"{_MAX_FAILURES} wrong tokens in a minute; wait for one")
            last.append(now)


async def _gate(request: Request) -> Gate:
    gate: Gate = request.app.state.gate
    return gate


CurrentGate = Annotated[Gate, Depends(_gate)]


async def _caller(
    request: Request,
    gate: CurrentGate,
    workspace: CurrentWorkspace,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)],
) -> Token | None:
    """The token shown; None where the server asks for none."""
    threads = request.app.state.limits.token_checks
    if gate.has_to_look():
        await to_thread.run_sync(gate.look, limiter=threads)
    if not gate.is_shut:
        return None
    try:
        shown = credentials.credentials if credentials else ""
        return await to_thread.run_sync(workspace.tokens.check, shown, limiter=threads)
    except UnauthenticatedError:
        if credentials is not None:  # who shows nothing is not guessing
            request.app.state.failures.count(request.client.host if request.client else "")
        raise


CallerToken = Annotated[Token | None, Depends(_caller)]


def requires(scope: Scope) -> Callable[[Token | None], Awaitable[Caller]]:
    """A dependency that lets callers of a scope pass, and says who they are."""

    async def check(token: CallerToken) -> Caller:
        if token is not None and not token.scope.covers(scope):
            raise ForbiddenError(f"this needs a token of scope {scope}; yours has {token.scope}")
        return Caller(token)

    return check


_reader = requires(Scope.READ)
Reader = Depends(_reader)
CurrentCaller = Annotated[Caller, Depends(_reader)]
Submitter = Annotated[Caller, Depends(requires(Scope.SUBMIT))]
Admin = Depends(requires(Scope.ADMIN))
