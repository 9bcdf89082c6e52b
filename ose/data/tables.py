from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    place: str
    text: str
    text_pair: str | None = None
    label: Any = None
    query_id: str | None = None
