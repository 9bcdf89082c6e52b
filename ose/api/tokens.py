"""Access tokens over HTTP, for administrators."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ose.api.access import Admin, CallerId
from ose.api.bodies import JsonObject
from ose.api.context import CurrentWorkspace
from ose.api.documents import TOKEN_BODY, NewTokenDocument, TokenDocument
from ose.api.limits import CurrentLimits, ThreadPlace
from ose.api.responses import Json
from ose.service.requests import TokenRequest
from ose.service.validation import validate

router = APIRouter(prefix="/tokens", tags=["tokens"], dependencies=[Admin, ThreadPlace])

TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{8}$", examples=["1f0c22ab"])]


@router.post("", status_code=201, response_model=NewTokenDocument, openapi_extra=TOKEN_BODY)
async def create(content: JsonObject, caller: CallerId, workspace: CurrentWorkspace, limits: CurrentLimits) -> Response:
    """Make a token. This answer is the only one that shows it."""
    asked = validate(TokenRequest, content, "request")
    make = partial(workspace.tokens.create, asked.name, asked.scope, asked.valid_days)
    token, shown = await limits.change(caller, make)
    return Json({**asdict(token), "token": shown}, 201)


@router.get("", response_model=list[TokenDocument])
def list_tokens(workspace: CurrentWorkspace) -> Response:
    """All tokens, oldest first."""
    return Json(workspace.tokens.list())


@router.delete("/{token_id}", response_model=TokenDocument)
def revoke(token_id: TokenId, workspace: CurrentWorkspace) -> Response:
    """Withdraw a token at once; doing so again changes nothing."""
    return Json(workspace.tokens.revoke(token_id))
