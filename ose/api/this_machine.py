"""What a server that asks for no tokens answers: this machine's own callers, and no others through them."""

from __future__ import annotations

import ipaddress
import re

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ose.access.gate import Gate
from ose.api.problems import problem
from ose.api.proxies import forwarding_header
from ose.errors import StoreError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(?::\d{1,5})?", re.IGNORECASE)


class ThisMachineOnly:
    """Refuses what came through a proxy, or asked for another name, for as long as no tokens are asked for.

    Such a server trusts every caller that reaches loopback. A proxy on the machine does, on behalf of the whole
    network, and so does a browser, on behalf of any page it shows: one whose name was bent to point here asks for
    that name.
    """

    def __init__(self, app: ASGIApp, gate: Gate, threads: CapacityLimiter) -> None:
        self._app = app
        self._gate = gate
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not self._gate.is_shut:
            refusal = _refusal(Headers(scope=scope), scope["http_version"])
            if refusal is not None and not await self._asks_by_now():
                return await refusal(scope, receive, send)
        await self._app(scope, receive, send)

    async def _asks_by_now(self) -> bool:
        try:
            return await to_thread.run_sync(self._gate.look, limiter=self._threads)
        except StoreError:
            return False


def _refusal(headers: Headers, http_version: str) -> Response | None:
    if header := forwarding_header(headers):
        return _proxied(f"the header {header}")
    if http_version == "1.0":  # what nginx speaks to servers behind it, unless told to add a header or two
        return _proxied("HTTP/1.0")
    hosts = headers.getlist("host")
    if len(hosts) != 1 or not _is_loopback(hosts[0]):
        return problem(421, "wrong_host", "without tokens this server answers on loopback addresses and localhost only")
    return None


def _proxied(sign: str) -> Response:
    detail = f"this server asks for no tokens, so it answers no request that came through a proxy, as {sign} tells"
    return problem(403, "forbidden", detail)


def _is_loopback(host: str) -> bool:
    """Whether a Host header names this machine. A name that only resolves to it does not count: others give those."""
    parts = _HOST.fullmatch(host)
    name = parts[1].lower() if parts else ""
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
