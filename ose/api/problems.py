"""Errors as RFC 9457 problem details, with the stable codes of `ose.errors`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ose.api.responses import Json, Responses
from ose.core.shown import shown
from ose.errors import BusyError, OseError

_LOG = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "invalid_input": 422,
    "invalid_job_file": 422,
    "invalid_teacher": 422,
    "invalid_corpus": 422,
    "broken_file": 422,
    "invalid_search_space": 422,
    "not_found": 404,
    "too_slow": 422,
    "access": 403,
    "unauthenticated": 401,
    "forbidden": 403,
    "too_many_failures": 429,
    "quota": 429,
    "conflict": 409,
    "environment": 503,
    "setting": 503,
    "store": 503,
    "unreadable": 409,
    "storage": 507,
    "dependency": 503,
    "service": 502,
    "busy": 503,
}
"""The HTTP status of each code of the tree that a request can meet; what is not here is a fault of ours, 500."""

_CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    421: "wrong_host",
}
"""Codes of what HTTP itself refuses."""

_CLIENT_LEFT = 499
"""Seen by metrics alone: the caller has gone."""

_EXPLAINED = (400, 401, 403, 404, 405, 408, 409, 413, 415, 421, 422, 429, 431, 500, 503, 507)
"""Statuses of problems that any operation may answer with."""


class Problem(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: str = Field(examples=["urn:ose:problem:not_found"], description="Names the kind of problem.")
    title: str = Field(examples=["Not Found"], description="The status in words.")
    status: int = Field(examples=[404], description="The same as the answer's own.")
    detail: str = Field(examples=["there is no job '3f9c'"], description="What, which value, and what to do.")
    code: str = Field(examples=["not_found"], description="Stable, for programs; the command line has the same.")


RESPONSES: Responses = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in _EXPLAINED
}
"""For the OpenAPI document."""


def problem(status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """A response that says what went wrong."""
    content = Problem(
        type=f"urn:ose:problem:{code}", title=HTTPStatus(status).phrase, status=status, detail=shown(detail), code=code
    )
    return Json(content.model_dump(), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Have every error of an app answered as a problem."""
    app.add_exception_handler(OseError, _refused)  # type: ignore[arg-type]
    app.add_exception_handler(HTTPException, _by_http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, _malformed)  # type: ignore[arg-type]
    app.add_exception_handler(ClientDisconnect, _unheard)
    app.add_exception_handler(Exception, _unforeseen)


def of(error: OseError) -> Response:
    """The problem that an error of the tree is."""
    status = STATUS.get(error.code, 500)
    if isinstance(error, BusyError):
        return problem(status, error.code, str(error), {"Retry-After": "5"})
    if status >= 500:  # what is wrong with the server's machine is the operator's business
        _LOG.error("%s: %s", error.code, error)
        return problem(status, error.code, "the server cannot do this at the moment; its log says why")
    headers = {401: {"WWW-Authenticate": "Bearer"}, 429: {"Retry-After": "60"}}.get(status)
    return problem(status, error.code, str(error), headers)


async def _refused(request: Request, error: OseError) -> Response:
    return of(error)


async def _by_http(request: Request, error: HTTPException) -> Response:
    headers = {"Allow": _allowed(request)} if error.status_code == 405 else error.headers
    return problem(error.status_code, _CODES.get(error.status_code, "bad_request"), str(error.detail), headers)


def _allowed(request: Request) -> str:
    """The methods of a path. The router names those of the first route that it found there, which are not all."""
    pattern = getattr(request.scope.get("route"), "path", "")
    paths = request.app.openapi()["paths"].items()
    verbs = [verb.upper() for path, verbs in paths if pattern and path.endswith(pattern) for verb in verbs]
    return ", ".join(sorted(set(verbs))) or "GET"


async def _malformed(request: Request, error: RequestValidationError) -> Response:
    return problem(422, "invalid_input", "; ".join(_sentence(each) for each in error.errors()[:5]))


def _sentence(error: Mapping[str, Any]) -> str:
    place = " ".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}"


async def _unheard(request: Request, error: Exception) -> Response:
    return Response(status_code=_CLIENT_LEFT)


async def _unforeseen(request: Request, error: Exception) -> Response:
    # The traceback is logged by the server, which gets the exception after this answer.
    return problem(500, "internal", "the server has failed on this request; its log says why")
