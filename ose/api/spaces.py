"""Search spaces over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from ose.api.auth import Reader
from ose.api.dependencies import CurrentWorkspace
from ose.api.request_slots import ThreadPlace
from ose.api.responses import Json
from ose.api.schemas import SpaceDocument, SpaceSummary
from ose.errors import NotFoundError
from ose.inputs.space_json import space_json, summary_json

router = APIRouter(prefix="/spaces", tags=["spaces"], dependencies=[Reader, ThreadPlace])

SpaceName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$", examples=["minilm"])]


class MembersQuery(BaseModel, extra="forbid"):
    """Which members."""

    sequence_length: int = Query(128, ge=1, le=100_000, description="Tokens of one input, for operations.")
    limit: int = Query(100, ge=1, le=1000)
    after: int = Query(0, ge=0, le=10**6, description="The `next` of the page before.")


@router.get("", response_model=list[SpaceSummary])
def list_spaces(workspace: CurrentWorkspace) -> Response:
    """The shipped search spaces."""
    return Json([summary_json(space) for space in workspace.spaces()])


@router.get("/{name}", response_model=SpaceDocument)
def show(name: SpaceName, workspace: CurrentWorkspace, query: Annotated[MembersQuery, Query()]) -> Response:
    """One space: its axes, and its members in the order in which a search visits them, page by page."""
    space = next((each for each in workspace.spaces() if each.name == name), None)
    if space is None:  # found by its name among those that come along, so no name opens a file
        raise NotFoundError(f"no search space is called {name!r}; see /api/v1/spaces")
    return Json(space_json(space, query.sequence_length, query.limit, query.after))
