"""Read what a request brings along: bytes for a checker, or a small request, read and checked."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ose.api.request_slots import BodyPlace
from ose.inputs.json_text import read_object
from ose.inputs.validation import validate
from ose.limits import operator_limits, setting_of

T = TypeVar("T")


async def _json_bytes(request: Request, _: Annotated[None, BodyPlace]) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send application/json")
    return await request.body()


JsonBytes = Annotated[bytes, Depends(_json_bytes)]
"""Not parsed yet: of a job that may be much, and many objects."""


def request(kind: type[T]) -> Any:
    """A dependency: the request of this kind that a small body is."""

    async def read(body: JsonBytes) -> T:
        return _read(kind, body)

    return Depends(read)


def optional_request(kind: type[T]) -> Any:
    """Likewise, where no body stands for an empty one."""

    async def read(request: Request, _: Annotated[None, BodyPlace]) -> T:
        return _read(kind, await _json_bytes(request, None) if await request.body() else b"{}")

    return Depends(read)


def _read(kind: type[T], body: bytes) -> T:
    most = operator_limits().max_small_body_bytes
    if len(body) > most:
        raise HTTPException(413, f"such a request has at most {most} bytes ({setting_of('max_small_body_bytes')})")
    return validate(kind, read_object(body), "request")
