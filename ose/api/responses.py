"""JSON as the API writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response


class Json(Response):
    """Dataclasses, times and plain values as strict JSON: NaN, which JSON does not know, becomes null."""

    def __init__(
        self,
        content: Any,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        media_type: str = "application/json",
    ) -> None:
        super().__init__(to_json(content, inf_nan_mode="null"), status_code, headers, media_type)
