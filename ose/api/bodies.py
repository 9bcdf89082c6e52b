"""Read a JSON object from a request: strictly, and nothing that a database could not keep."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from ose.errors import InvalidInputError
from ose.service.texts import require_storable


async def _json_object(request: Request) -> dict[str, Any]:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send application/json")
    return _parsed(await request.body())


async def _optional_json_object(request: Request) -> dict[str, Any]:
    return await _json_object(request) if await request.body() else {}


JsonObject = Annotated[dict[str, Any], Depends(_json_object)]
OptionalJsonObject = Annotated[dict[str, Any], Depends(_optional_json_object)]


def _parsed(body: bytes) -> dict[str, Any]:
    """JSON alone, no YAML: its aliases unfold to any size.

    Raises:
        InvalidInputError: The body is no JSON object.
    """
    try:
        content = json.loads(body.decode("utf8"), parse_constant=_refuse, object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise InvalidInputError(f"the body is no JSON: {error or 'nested too deeply'}") from error
    if not isinstance(content, dict):
        raise InvalidInputError("the body must be a JSON object")
    require_storable(content, "the body")
    return content


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is given twice")
    return content
