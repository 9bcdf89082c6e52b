"""Read what a request brings along: bytes for a checker, or a small JSON object."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ose.api.request_slots import BodyPlace
from ose.inputs.json_text import read_object
from ose.limits import operator_limits, setting_of


async def _json_bytes(request: Request, _: Annotated[None, BodyPlace]) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send application/json")
    return await request.body()


JsonBytes = Annotated[bytes, Depends(_json_bytes)]
"""Not parsed yet: of a job that may be much, and many objects."""


async def _optional_json_object(request: Request, _: Annotated[None, BodyPlace]) -> dict[str, Any]:
    return _small_object(await _json_bytes(request, None)) if await request.body() else {}


async def _json_object(body: JsonBytes) -> dict[str, Any]:
    return _small_object(body)


JsonObject = Annotated[dict[str, Any], Depends(_json_object)]
OptionalJsonObject = Annotated[dict[str, Any], Depends(_optional_json_object)]


def _small_object(body: bytes) -> dict[str, Any]:
    most = operator_limits().max_small_body_bytes
    if len(body) > most:
        raise HTTPException(413, f"such a request has at most {most} bytes ({setting_of('max_small_body_bytes')})")
    return read_object(body)
