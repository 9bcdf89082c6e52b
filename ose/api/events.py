"""What happens to a job, as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.sse import format_sse_event
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from ose.access.gate import Gate
from ose.api.auth import CurrentCaller, Reader
from ose.api.broadcast import Broadcaster, JobState, Sight
from ose.api.dependencies import CurrentWorkspace, JobId
from ose.api.request_slots import CurrentLimits, StreamPlace
from ose.api.responses import Responses
from ose.core.job import CandidateStatus, ErrorDetail
from ose.errors import NotFoundError
from ose.workspace import Workspace

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"], dependencies=[Reader])

_SILENCE_S = 15.0
"""After so long without an event a comment is sent: proxies cut what is silent, and a caller that left is noticed."""

_EVENT = {
    "type": "object",
    "required": ["event", "id", "data"],
    "properties": {
        "event": {"const": "job", "description": "Always the same."},
        "id": {"type": "string", "description": "Stands for the state that it tells; handed in as Last-Event-ID."},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/JobState"},
            "description": "How the job stands.",
        },
    },
}

_STREAM: Responses = {
    200: {"description": "Events, as they come", "content": {"text/event-stream": {"itemSchema": _EVENT}}},
    204: {"description": "The job has ended, and this caller has seen how"},
}


class EventStream(StreamingResponse):
    """An answer of server-sent events."""

    media_type = "text/event-stream"


@router.get(
    "/events", response_class=EventStream, response_model=JobState, responses=_STREAM, dependencies=[StreamPlace]
)
async def events(
    request: Request,
    job_id: JobId,
    caller: CurrentCaller,
    workspace: CurrentWorkspace,
    limits: CurrentLimits,
    last_event_id: Annotated[str | None, Header(max_length=500)] = None,
) -> Response:
    """Status and counts of candidates, whenever they change, until the job ends or the caller's token does.

    An event says how the job stands, and its id stands for just that. So a caller that comes back with
    the id of the last one it saw is told what is new since, from whichever server it asks.
    """
    first = await limits.read(caller, partial(_first, workspace, job_id))
    if _is_last(first) and _id(first) == last_event_id:
        return Response(status_code=204)  # a browser would come back for ever otherwise
    stream = _stream(request.app.state.broadcaster, caller.owner, first, last_event_id)
    return EventStream(stream, headers={"X-Accel-Buffering": "no"})


async def _stream(
    broadcaster: Broadcaster, caller: str | None, first: JobState, seen: str | None
) -> AsyncIterator[bytes]:
    with broadcaster.followed(caller, first) as follower:
        while True:
            state = follower.state
            if _id(state) != seen:
                seen = _id(state)
                yield format_sse_event(data_str=to_json(state).decode(), event="job", id=seen)
            if _is_last(state) or not follower.may_stay:
                return
            if not await follower.is_told(_SILENCE_S):
                yield format_sse_event(comment="still here")


def look(workspace: Workspace, gate: Gate, job_ids: Collection[str], callers: Collection[str | None]) -> Sight:
    """How jobs stand, and which callers would still get in: with their token, or without where none is asked for."""
    welcome: set[str | None] = set(workspace.tokens.valid_ids())
    if None in callers and not gate.look():
        welcome.add(None)
    return Sight(states=_states(workspace, job_ids), callers=welcome)


def _first(workspace: Workspace, job_id: str) -> JobState:
    job = workspace.job(job_id)
    state = _states(workspace, [job.id]).get(job.id)
    if state is None:
        raise NotFoundError(f"job {job.id} was deleted at this moment")
    return state


def _states(workspace: Workspace, job_ids: Collection[str]) -> dict[str, JobState]:
    counts = workspace.store.count_candidates_of(list(job_ids))
    return {
        job_id: JobState(
            id=job_id,
            status=status,
            candidates={CandidateStatus(name): count for name, count in sorted(counts.get(job_id, {}).items())},
            error=ErrorDetail(code=failure.code, message=failure.message) if failure else None,
        )
        for job_id, (status, failure) in workspace.store.job_statuses(list(job_ids)).items()
    }


def _id(state: JobState) -> str:
    counts = ",".join(f"{status}={count}" for status, count in state.candidates.items())
    return f"{state.status};{counts}"


def _is_last(state: JobState) -> bool:
    return state.status.is_terminal
