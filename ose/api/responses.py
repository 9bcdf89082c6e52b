"""JSON as the API writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic_core import to_json
from starlette.responses import Response

Responses: TypeAlias = dict[int | str, dict[str, Any]]
"""What an operation answers beside what its model says, in OpenAPI's words, by status."""


def json_bytes(content: Any) -> bytes:
    """Dataclasses, times and plain values as strict JSON: NaN, which JSON does not know, becomes null."""
    return to_json(content, inf_nan_mode="null")


class Json(Response):
    """An answer of what `json_bytes` writes."""

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(json_bytes(content), status_code, headers, media_type)
