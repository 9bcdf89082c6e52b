"""What happens to a job, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Header, Request
from fastapi.sse import format_sse_event
from pydantic_core import to_json
from starlette.responses import Response, StreamingResponse

from ose.api.access import CallerToken, Reader
from ose.api.context import CurrentWorkspace, JobId, Options
from ose.bootstrap import Workspace
from ose.core.job import JobStatus
from ose.errors import NotFoundError

router = APIRouter(prefix="/jobs/{job_id}", tags=["jobs"], dependencies=[Reader])

_SILENCE_S = 15.0
"""After so long without an event a comment is sent: proxies cut what is silent, and a caller that left is noticed."""

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Events named job, their data as in the job", "content": {"text/event-stream": {}}},
    204: {"description": "The job has ended, and this caller has seen how"},
}


@router.get("/events", response_class=StreamingResponse, responses=_STREAM)
async def events(
    job_id: JobId,
    workspace: CurrentWorkspace,
    options: Options,
    caller: CallerToken,
    request: Request,
    last_event_id: Annotated[str | None, Header(max_length=500)] = None,
) -> Response:
    """Status and counts of candidates, whenever they change, until the job ends or the caller's token does.

    An event says how the job stands, and its id stands for just that. So whoever comes back with the id of the last
    one it saw is told what is new since, from whichever server it asks.
    """
    first = await to_thread.run_sync(_state, workspace, job_id)
    if _is_last(first) and _id(first) == last_event_id:
        return Response(status_code=204)  # a browser would come back for ever otherwise
    lasts = partial(request.app.state.standing.lasts, caller)
    stream = _stream(workspace, first, last_event_id, options.poll_s, lasts)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


async def _stream(
    workspace: Workspace, state: dict[str, Any], seen: str | None, poll_s: float, lasts: Callable[[], Awaitable[bool]]
) -> AsyncIterator[bytes]:
    silent_s = 0.0
    while True:
        if _id(state) != seen:
            seen, silent_s = _id(state), 0.0
            yield format_sse_event(data_str=to_json(state).decode(), event="job", id=seen)
        if _is_last(state):
            return
        await asyncio.sleep(poll_s)
        if not await lasts():
            return
        silent_s += poll_s
        if silent_s >= _SILENCE_S:
            silent_s = 0.0
            yield format_sse_event(comment="still here")
        try:
            state = await to_thread.run_sync(_state, workspace, state["id"])
        except NotFoundError:  # it was deleted, as whoever comes back is told
            return


def _state(workspace: Workspace, job_id: str) -> dict[str, Any]:
    job = workspace.job(job_id)
    error = {"code": job.failure.code, "message": job.failure.message} if job.failure else None
    counts = workspace.store.count_candidates(job.id)
    return {"id": job.id, "status": job.status, "candidates": dict(sorted(counts.items())), "error": error}


def _id(state: dict[str, Any]) -> str:
    counts = ",".join(f"{status}={count}" for status, count in state["candidates"].items())
    return f"{state['status']};{counts}"


def _is_last(state: dict[str, Any]) -> bool:
    return JobStatus(state["status"]).is_terminal
