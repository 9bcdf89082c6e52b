"""`ose serve`: the HTTP API, on loopback unless tokens guard it."""

from __future__ import annotations

import gc
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ose.artifacts.private import is_open_to_others
from ose.cli.context import Context, say, this_command
from ose.core.logs import log_to_stderr
from ose.errors import InvalidInputError

if TYPE_CHECKING:
    from ose.workspace import Workspace

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
        str | None,
        typer.Option(help="Addresses of proxies whose X-Forwarded-For counts, with commas.", show_default="none"),
    ] = None,
    without_tokens: Annotated[
        bool, typer.Option("--without-tokens", help="Open to this machine, though there have been tokens.")
    ] = False,
) -> None:
    """Serve this workspace over HTTP. Coordinators run its jobs: ose coordinator."""
    import uvicorn

    from ose.api.app import create_app
    from ose.api.dependencies import ServerOptions
    from ose.api.proxies import trusted_proxies
    from ose.api.server import server_config

    options: Context = context.obj
    proxies = None if trusted_proxy is None else trusted_proxies(trusted_proxy)
    log_to_stderr()
    with options.this_machine() as workspace:
        asks = _asks_for_tokens(workspace, without_tokens)
        _require_guard(host, asks, without_tokens)
        root = data_root or workspace.settings.data_root
        if root is not None and not root.is_dir():
            raise InvalidInputError(f"OSE_DATA_ROOT or --data-root: {root} is no directory")
        server_options = ServerOptions(data_root=root, requires_token=asks, without_tokens=without_tokens)
        app = create_app(workspace, server_options)
        say(f"ose serves {workspace.home} on http://{_shown(host)}:{port}, {_who(workspace, asks)}; see /docs")
        _say_what_is_open(workspace, asks)
        config = server_config(app, host, port, proxies, log_config=None)
        gc.collect()
        gc.freeze()  # what is loaded stays, and looking through it would hold requests up
        uvicorn.Server(config).run()


def _asks_for_tokens(workspace: Workspace, without_tokens: bool) -> bool:
    if without_tokens:
        workspace.tokens.have_been()  # the next server is to know
        return False
    return workspace.must_ask_for_tokens()


def _require_guard(host: str, asks: bool, without_tokens: bool) -> None:
    """Refuse to be open to other machines.

    Raises:
        InvalidInputError: The address is not loopback, and no tokens are asked for.
    """
    if asks or _is_loopback(host):
        return
    way_out = "leave out --without-tokens" if without_tokens else f"make one with `{_create()}`"
    raise InvalidInputError(
        f"on {host} others can reach this server, so it needs tokens: {way_out}, or listen on 127.0.0.1"
    )


def _create() -> str:
    return f"{this_command()} token create NAME --scope submit"


def _is_loopback(host: str) -> bool:
    if host in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may lead anywhere
        return False


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _who(workspace: Workspace, asks: bool) -> str:
    if not asks:
        return "open to everybody on this machine, without tokens"
    if workspace.tokens.valid_ids():
        return "to who has a token"
    return f"to no caller, for no token is valid: make one with `{_create()}`"


def _say_what_is_open(workspace: Workspace, asks: bool) -> None:
    """Tell what is not as closed as it should be, which is the owner's to change."""
    if is_open_to_others(workspace.home):
        say(f"others on this machine may list {workspace.home}; chmod 700 closes it")
    if asks and not workspace.token_marker.is_there():
        say(f"{workspace.home} cannot be written, so that there are tokens is remembered in the database alone")
