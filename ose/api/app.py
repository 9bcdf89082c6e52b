"""The HTTP API as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from ose import __version__
from ose.access.gate import Gate
from ose.api import docs_page, events, health, jobs, leaderboard, openapi, problems, spaces, students, tokens
from ose.api.auth import FailureLimit
from ose.api.broadcast import Broadcaster
from ose.api.dependencies import ServerOptions
from ose.api.desk import Desk
from ose.api.middleware import BodyLimit, SameSite, SecurityHeaders
from ose.api.request_slots import limits_of
from ose.api.submission_checks import Checks
from ose.api.this_machine import ThisMachineOnly
from ose.leaderboard.page import LeaderboardPages
from ose.limits import operator_limits
from ose.workspace import Workspace

PREFIX = "/api/v1"

_DESCRIPTION = (
    "Submit search jobs, watch them, query leaderboards, have students distilled and download them. "
    "Errors are problem details (RFC 9457) with stable codes. Lists come in pages: hand the `next` of one in as "
    "`after` to have the following."
)


def create_app(workspace: Workspace, options: ServerOptions | None = None) -> FastAPI:
    """The API of a workspace.

    Args:
        workspace: What is served. It stays the caller's to close.
        options: How callers are treated; by default only this machine's may call, and without a token until there
            is one.
    """
    options = options or ServerOptions()
    operator = operator_limits()
    limits = limits_of(operator)
    metrics = health.Metrics(workspace.store)
    gate = Gate(workspace.tokens, is_shut=options.requires_token, stays_open=options.without_tokens)
    app = FastAPI(
        title="OSE",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        responses=problems.RESPONSES,
        redirect_slashes=False,
        lifespan=_life,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        middleware=[
            Middleware(health.RequestMetrics, metrics=metrics),
            Middleware(SecurityHeaders),
            Middleware(BodyLimit, max_bytes=operator.max_body_bytes),
            Middleware(ThisMachineOnly, gate=gate, threads=limits.token_checks),
            Middleware(SameSite),
        ],
    )
    app.state.workspace, app.state.options = workspace, options
    app.state.metrics, app.state.failures = metrics, FailureLimit()
    app.state.gate = gate
    app.state.pages = LeaderboardPages(workspace.store)
    app.state.documents = {}
    app.state.limits = limits
    app.state.desk = Desk(workspace, Checks(workspace.checkers, limits.checks, operator.max_submission_s), limits)
    app.state.broadcaster = Broadcaster(partial(events.look, workspace, gate), options.poll_s)
    problems.install(app)
    app.include_router(_versioned())
    app.include_router(health.router)
    app.include_router(docs_page.router)
    openapi.describe(app, gate)
    return app


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    """Of a server: what the first submission would wait for is done before it comes."""
    await to_thread.run_sync(app.state.workspace.checkers.start)
    yield


def _versioned() -> APIRouter:
    router = APIRouter(prefix=PREFIX)
    for part in (jobs, events, leaderboard, students, spaces, tokens):
        router.include_router(part.router)
    return router
