"""Jobs over HTTP: submit, list, show, cancel, resume, extend, delete."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from ose.access.ownership import changeable_job
from ose.api.auth import CurrentCaller, Reader, Submitter
from ose.api.bodies import JsonBytes
from ose.api.dependencies import CurrentWorkspace, JobId, Options
from ose.api.desk import CurrentDesk, Submitted
from ose.api.request_schemas import EXTENSION_BODY, JOB_BODY
from ose.api.request_slots import ThreadPlace
from ose.api.responses import Json, Responses
from ose.api.schemas import CostDocument, JobDocument, JobPage
from ose.core.clock import utc_now
from ose.jobs.submit import cancel_job, job_json, jobs_json, resume_job

router = APIRouter(prefix="/jobs", tags=["jobs"], dependencies=[Reader, ThreadPlace])


class JobsQuery(BaseModel, extra="forbid"):
    """Which jobs."""

    limit: int = Query(20, ge=1, le=100, description="At most so many, newest first.")
    after: str | None = Query(
        None, pattern=r"^[A-Za-z0-9-]{1,64}$", description="The `next` of the page before.", examples=["3f9c21ab"]
    )


IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="A name of your own for this submission; sent again, it finds the job that it has made.",
        examples=["nightly-2026-01-01"],
    ),
]


_AGAIN: Responses = {200: {"model": JobDocument, "description": "The job that this key has made before"}}


@router.post("", status_code=201, response_model=JobDocument, responses=_AGAIN, openapi_extra=JOB_BODY)
async def submit(
    request: Request,
    body: JsonBytes,
    caller: Submitter,
    desk: CurrentDesk,
    options: Options,
    key: IdempotencyKey = None,
) -> Response:
    """Check a job and queue it for a coordinator. The body is a job file's content as JSON."""
    root = None if options.data_root is None else str(options.data_root.absolute())
    return _made(await desk.submit(request, caller, "submit", {"root": root, "key": key}, body))


@router.get("", response_model=JobPage)
def list_jobs(workspace: CurrentWorkspace, query: Annotated[JobsQuery, Query()]) -> Response:
    """The newest jobs, page by page."""
    after = None if query.after is None else workspace.store.job_id(query.after)
    jobs = workspace.store.listed_jobs(query.limit + 1, after)
    shown = jobs[: query.limit]
    following = shown[-1].id if len(jobs) > len(shown) else None
    return Json({"jobs": jobs_json(workspace.store, shown), "next": following})


@router.get("/{job_id}", response_model=JobDocument)
def show(job_id: JobId, workspace: CurrentWorkspace) -> Response:
    """One job: status, counts of candidates, times, and the frozen spec."""
    return Json(workspace.describe(job_id))


@router.delete("/{job_id}", response_model=JobDocument)
def delete(job_id: JobId, caller: Submitter, workspace: CurrentWorkspace) -> Response:
    """Delete a job with its candidates, students and exports, and the files that no other job uses.

    Its owner or an administrator may. A running job has to be cancelled first. The answer is the job as it was.
    """
    job = changeable_job(workspace.store, job_id, caller)
    content = job_json(workspace.store, job)
    workspace.delete(job.id)
    return Json(content)


@router.get("/{job_id}/cost", response_model=CostDocument)
async def cost(request: Request, job_id: JobId, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """What a job will cost at the pace of earlier ones, and, once it has ended, what it cost."""
    return Response(await desk.ask(request, caller, "cost", {"job_id": job_id}), media_type="application/json")


@router.post("/{job_id}/cancel", response_model=JobDocument)
def cancel(job_id: JobId, caller: Submitter, workspace: CurrentWorkspace) -> Response:
    """Stop a queued or running job; its owner or an administrator may. It can be resumed."""
    job = changeable_job(workspace.store, job_id, caller)
    return Json(job_json(workspace.store, cancel_job(workspace.store, job.id, utc_now)))


@router.post("/{job_id}/resume", response_model=JobDocument)
def resume(job_id: JobId, caller: Submitter, workspace: CurrentWorkspace) -> Response:
    """Queue a failed or cancelled job again; its owner or an administrator may. Finished work is kept.

    One that waits or runs is left as it is.
    """
    job = changeable_job(workspace.store, job_id, caller)
    return Json(job_json(workspace.store, resume_job(workspace.store, job.id)))


@router.post(
    "/{job_id}/extend", status_code=201, response_model=JobDocument, responses=_AGAIN, openapi_extra=EXTENSION_BODY
)
async def extend(
    request: Request, job_id: JobId, body: JsonBytes, caller: Submitter, desk: CurrentDesk, key: IdempotencyKey = None
) -> Response:
    """Queue a new job that trains the leaders of this one further, in a phase of their own, to so many steps in all."""
    return _made(await desk.submit(request, caller, "extend", {"job_id": job_id, "key": key}, body))


def _made(submitted: Submitted) -> Response:
    return Json(submitted.job, 201 if submitted.is_new else 200, {"Location": f"/api/v1/jobs/{submitted.job['id']}"})
