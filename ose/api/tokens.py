"""Access tokens over HTTP, for administrators."""

from __future__ import annotations

import logging
from dataclasses import asdict
from functools import partial
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from ose.api.auth import Admin, CurrentCaller, CurrentGate
from ose.api.bodies import request
from ose.api.dependencies import CurrentWorkspace, Options
from ose.api.request_schemas import TOKEN_BODY
from ose.api.request_slots import CurrentLimits, ThreadPlace
from ose.api.responses import Json
from ose.api.schemas import NewTokenDocument
from ose.core.access import Token
from ose.errors import ForbiddenError
from ose.inputs.requests import TokenRequest

_LOG = logging.getLogger(__name__)


async def _outlasts_nothing(options: Options) -> None:
    """A server that was opened for the moment makes no token and revokes none."""
    if options.without_tokens:
        raise ForbiddenError("this server was started --without-tokens; `ose token` on its machine manages them")


router = APIRouter(prefix="/tokens", tags=["tokens"], dependencies=[Admin, Depends(_outlasts_nothing), ThreadPlace])

TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", examples=["1f0c22ab"])]


@router.post("", status_code=201, response_model=NewTokenDocument, openapi_extra=TOKEN_BODY)
async def create(
    gate: CurrentGate,
    caller: CurrentCaller,
    asked: Annotated[TokenRequest, request(TokenRequest)],
    workspace: CurrentWorkspace,
    limits: CurrentLimits,
) -> Response:
    """Make a token. This answer is the only one that shows it. The first one shuts the server to callers without."""
    make = partial(workspace.tokens.create, asked.name, asked.scope, asked.valid_days)
    token, shown = await limits.change(caller, make)
    if caller.token is None:
        _LOG.warning("token %s of scope %s was made by a caller who had none", token.id, token.scope)
        await to_thread.run_sync(gate.look, limiter=limits.token_checks)
    return Json({**asdict(token), "token": shown}, 201)


@router.get("", response_model=list[Token])
def list_tokens(workspace: CurrentWorkspace) -> Response:
    """All tokens, oldest first."""
    return Json(workspace.tokens.list())


@router.delete("/{token_id}", response_model=Token)
def revoke(token_id: TokenId, workspace: CurrentWorkspace) -> Response:
    """Withdraw a token at once; doing so again changes nothing."""
    return Json(workspace.tokens.revoke(token_id))
