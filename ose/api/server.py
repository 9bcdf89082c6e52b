"""The app on a socket: uvicorn, bounded."""

from __future__ import annotations

import resource
from collections.abc import Sequence
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI

from ose.api.door import Door
from ose.api.protocol import BoundedProtocol
from ose.limits import OperatorLimits, operator_limits

_GRACE_S = 5
"""Streams of events never end by themselves; so long after a request to stop they are cut."""

_OTHER_FILES = 200
"""Files that a server has open beside its connections and what they download: the database, checkers."""


def server_config(
    app: FastAPI, host: str, port: int, trusted_proxies: Sequence[str] | None = None, **options: Any
) -> uvicorn.Config:
    """How uvicorn is to serve an app within the operator's limits.

    Args:
        app: The API.
        host: Address to listen on.
        port: To listen on.
        trusted_proxies: Addresses of proxies whose X-Forwarded-For counts. All connections are theirs then, so those
            of one address are not counted apart.
        options: More of uvicorn's.
    """
    operator = operator_limits()
    settings: dict[str, Any] = {
        "log_level": "error",
        "server_header": False,
        "proxy_headers": trusted_proxies is not None,
        "forwarded_allow_ips": trusted_proxies and list(trusted_proxies),
        "timeout_graceful_shutdown": _GRACE_S,
        "timeout_keep_alive": operator.max_idle_s,
        "http": partial(BoundedProtocol, _door(operator, is_behind_proxy=trusted_proxies is not None), operator),
        "ws": "none",
        **options,
    }
    return uvicorn.Config(app, host=host, port=port, **settings)


def _door(operator: OperatorLimits, is_behind_proxy: bool) -> Door:
    most = max(1, min(operator.max_connections, (_open_files() - _OTHER_FILES) // 2))
    return Door(most, most if is_behind_proxy else operator.max_connections_of_address)


def _open_files() -> int:
    """How many files this process may have open, after asking for all that it can get."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # macOS says that it has no limit, and then has one
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return hard if hard != resource.RLIM_INFINITY else 2**31
