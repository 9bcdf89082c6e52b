"""What every operation works with: the workspace behind the app, and who is calling."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request
from fastapi import Path as PathParameter

from ose.leaderboard.page import LeaderboardPages
from ose.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How a server treats its callers.

    Attributes:
        data_root: Folder that the paths in submitted jobs are confined to; None serves no local files.
        requires_token: Whether every caller must show a token from the start. Else only this machine may call, and
            without one until there is the first.
        without_tokens: Whether only this machine may call, without a token, even if there are some.
        poll_s: How often the events of a job look at the database.
    """

    data_root: Path | None = None
    requires_token: bool = False
    without_tokens: bool = False
    poll_s: float = 1.0


async def _workspace(request: Request) -> Workspace:
    workspace: Workspace = request.app.state.workspace
    return workspace


async def _options(request: Request) -> ServerOptions:
    options: ServerOptions = request.app.state.options
    return options


async def _pages(request: Request) -> LeaderboardPages:
    pages: LeaderboardPages = request.app.state.pages
    return pages


CurrentWorkspace = Annotated[Workspace, Depends(_workspace)]
Pages = Annotated[LeaderboardPages, Depends(_pages)]
Options = Annotated[ServerOptions, Depends(_options)]

JobId = Annotated[
    str,
    PathParameter(pattern=r"^[A-Za-z0-9-]{1,64}$", description="The job's id, or its beginning.", examples=["3f9c"]),
]
Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="The candidate's number in its job.")]
