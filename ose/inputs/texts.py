"""What a text may hold before it is stored: the same for every database, and no more of it than people can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ose.core.shown import is_plain, is_unstorable
from ose.errors import InvalidInputError
from ose.limits import operator_limits, setting_of


def require_name(name: str, place: str) -> None:
    """Refuse what is no name for others to read.

    Args:
        name: As somebody gave it.
        place: What messages call it.

    Raises:
        InvalidInputError: It is empty or too long, or has line breaks, control characters or half characters.
    """
    most = operator_limits().max_name_length
    if not name.strip():
        raise InvalidInputError(f"{place} is empty")
    if len(name) > most:
        raise InvalidInputError(
            f"{place} has {len(name):,} characters, and {most} at most ({setting_of('max_name_length')})"
        )
    if not is_plain(name):
        raise InvalidInputError(f"{place} must be one line of text, without control characters and half characters")


def require_storable(value: Any, place: str) -> None:
    """Refuse texts that a database cannot hold, wherever they stand in a value: PostgreSQL would, and SQLite not.

    Args:
        value: Plain, as of JSON.
        place: What messages call it; keys inside are put behind it.

    Raises:
        InvalidInputError: A text holds a null or half a character.
    """
    if isinstance(value, str):
        if is_unstorable(value):
            raise InvalidInputError(f"{place} holds a null or half a character")
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            require_storable(key, f"a key of {place}")
            require_storable(inner, f"{place}.{key}")
    elif isinstance(value, Sequence):
        for inner in value:
            require_storable(inner, place)
