"""`ose serve`: the HTTP API, on loopback unless tokens guard it."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path
from typing import Annotated

import typer

from ose.cli.context import Context, say, this_command
from ose.errors import InvalidInputError

_LOCAL_NAMES = {"localhost"}


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8000,
    data_root: Annotated[
        Path | None,
        typer.Option(help="Folder of the teachers and texts that jobs may name.", show_default="OSE_DATA_ROOT"),
    ] = None,
    trusted_proxy: Annotated[
        str | None, typer.Option(help="Address of a proxy whose X-Forwarded-For counts.", show_default="none")
    ] = None,
) -> None:
    """Serve this workspace over HTTP. Coordinators run its jobs: ose coordinator."""
    import uvicorn

    from ose.api.app import create_app
    from ose.api.context import ServerOptions
    from ose.api.server import server_config

    options: Context = context.obj
    with options.workspace() as workspace:
        has_tokens = workspace.tokens.has_valid()
        _require_guard(host, has_tokens)
        root = data_root or workspace.settings.data_root
        if root is not None and not root.is_dir():
            raise InvalidInputError(f"--data-root: {root} is no directory")
        app = create_app(workspace, ServerOptions(data_root=root, requires_token=has_tokens))
        say(f"ose serves {workspace.home} on http://{_shown(host)}:{port}, {_who(has_tokens)}; see /docs")
        config = server_config(app, host, port, trusted_proxy)
        gc.collect()
        gc.freeze()  # what is loaded stays, and looking through it would hold requests up
        uvicorn.Server(config).run()


def _require_guard(host: str, has_tokens: bool) -> None:
    """Refuse to be open to other machines.

    Raises:
        InvalidInputError: The address is not loopback, and there is no valid token.
    """
    if not has_tokens and not _is_loopback(host):
        raise InvalidInputError(
            f"on {host} others can reach this server, so it needs tokens: make one with "
            f"`{this_command()} token create NAME --scope submit`, or listen on 127.0.0.1"
        )


def _is_loopback(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _who(has_tokens: bool) -> str:
    return "to who has a token" if has_tokens else "to this machine, without tokens"
