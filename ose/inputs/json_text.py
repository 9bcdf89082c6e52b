"""Read a JSON object from somebody's bytes: strictly, and nothing that a database could not keep."""

from __future__ import annotations

import json
from typing import Any

from ose.core.bounds import whole_power
from ose.errors import InvalidInputError
from ose.inputs.texts import require_storable


def read_object(body: bytes) -> dict[str, Any]:
    """JSON alone, no YAML: its aliases unfold to any size.

    Raises:
        InvalidInputError: The body is no JSON object.
    """
    try:
        content = json.loads(
            body.decode("utf8"), parse_constant=_refuse, parse_float=_number, object_pairs_hook=_without_duplicates
        )
    except (ValueError, RecursionError) as error:  # also a number of more digits than Python reads
        raise InvalidInputError(f"the body is no JSON: {error or 'nested too deeply'}") from error
    if not isinstance(content, dict):
        raise InvalidInputError("the body must be a JSON object")
    require_storable(content, "the body")
    return content


def _number(text: str) -> float:
    return whole_power(text, float(text))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a key is given twice")
    return content
