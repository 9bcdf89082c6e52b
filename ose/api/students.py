"""Full distillations and exports over HTTP: ask for a student, follow it, take it home."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from starlette.responses import FileResponse, Response

from ose.api.auth import Reader, Submitter
from ose.api.bodies import optional_request
from ose.api.dependencies import CurrentWorkspace, JobId
from ose.api.request_schemas import DISTILLATION_BODY
from ose.api.request_slots import CurrentLimits, ThreadPlace
from ose.api.responses import Json, Responses
from ose.api.schemas import DistillationDocument, ExportDocument
from ose.core.exports import Export
from ose.core.job import Distillation
from ose.errors import NotFoundError
from ose.inputs.requests import DistillationRequest
from ose.students.student_json import distillation_json, export_json
from ose.workspace import Workspace

router = APIRouter(prefix="/jobs/{job_id}", tags=["students"], dependencies=[Reader, ThreadPlace])

Id = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]
FileName = Annotated[str, PathParameter(max_length=255, examples=["model.safetensors"])]


@router.post("/distillations", status_code=202, response_model=DistillationDocument, openapi_extra=DISTILLATION_BODY)
async def distill(
    job_id: JobId,
    caller: Submitter,
    asked: Annotated[DistillationRequest, optional_request(DistillationRequest)],
    workspace: CurrentWorkspace,
    limits: CurrentLimits,
) -> Response:
    """Ask for a full distillation of the job's best student, or of another candidate. Asked again, it is the same."""
    request = partial(workspace.students.request, job_id, asked.candidate, asked.changes, asked.workers, caller.owner)
    found = await limits.change(caller, request)
    location = {"Location": f"/api/v1/jobs/{found.job_id}/distillations/{found.id}"}
    return Json(distillation_json(found), 202, location)


@router.get("/distillations", response_model=list[DistillationDocument])
def list_distillations(job_id: JobId, workspace: CurrentWorkspace) -> Response:
    """A job's distillations, newest first."""
    job = workspace.job(job_id)
    return Json([distillation_json(each) for each in workspace.store.distillations(job.id)])


@router.get("/distillations/{distillation_id}", response_model=DistillationDocument)
def show_distillation(job_id: JobId, distillation_id: Id, workspace: CurrentWorkspace) -> Response:
    """One distillation: how it stands, and what came out."""
    return Json(distillation_json(_distillation(workspace, job_id, distillation_id)))


@router.get("/exports", response_model=list[ExportDocument])
def list_exports(job_id: JobId, workspace: CurrentWorkspace) -> Response:
    """A job's exported students with their files, newest first."""
    job = workspace.job(job_id)
    return Json([export_json(each) for each in workspace.store.exports(job.id)])


@router.get("/exports/{export_id}", response_model=ExportDocument)
def show_export(job_id: JobId, export_id: Id, workspace: CurrentWorkspace) -> Response:
    """One export: its files with sizes and digests."""
    return Json(export_json(_export(workspace, job_id, export_id)))


_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_BYTES: Responses = {
    200: {"content": _FILE},
    206: {"content": _FILE, "description": "The range asked for"},
    416: {"description": "No such range"},
}


@router.get(
    "/exports/{export_id}/files/{name}",
    response_class=FileResponse,
    responses=_BYTES,
)
def download(job_id: JobId, export_id: Id, name: FileName, workspace: CurrentWorkspace) -> Response:
    """A file of an export, streamed. A `Range` goes on where a download broke off; `If-Range` takes the ETag."""
    export = _export(workspace, job_id, export_id)
    file = next((file for file in export.files if file.name == name), None)
    path = None if file is None else Path(export.folder) / file.name  # a name that was stored, not one that was sent
    if file is None or path is None or not path.is_file():
        raise NotFoundError(f"export {export_id} has no file {name!r}")
    return FileResponse(path, media_type="application/octet-stream", headers={"ETag": f'"{file.sha256}"'})


def _distillation(workspace: Workspace, job_id: str, distillation_id: int) -> Distillation:
    job, found = workspace.job(job_id), workspace.store.distillation(distillation_id)
    if found.job_id != job.id:
        raise NotFoundError(f"job {job.id} has no distillation {distillation_id}")
    return found


def _export(workspace: Workspace, job_id: str, export_id: int) -> Export:
    job = workspace.job(job_id)
    found = next((each for each in workspace.store.exports(job.id) if each.id == export_id), None)
    if found is None:
        raise NotFoundError(f"job {job.id} has no export {export_id}")
    return found
