"""Take the text out of one record, whatever file or dataset it came from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ose.errors import CorpusError


def text_of(record: Mapping[str, Any], text_field: str, place: str) -> str:
    """The text in one record; a null is no text.

    Args:
        record: Field names and values.
        text_field: The field that holds the text.
        place: What error messages call the record.

    Raises:
        CorpusError: The field is missing, or holds something else.
    """
    require_field(record, text_field, place)
    value = record[text_field]
    if value is not None and not isinstance(value, str):
        raise CorpusError(f"{place}: field {text_field!r} must hold text, not a {type(value).__name__}")
    return value or ""


def require_field(names: Iterable[str], text_field: str, place: str) -> None:
    """Refuse records without the text field, and say which fields there are."""
    listed = [repr(str(name)) for name in names]
    if repr(text_field) not in listed:
        shown = ", ".join(listed[:10]) + (", ..." if len(listed) > 10 else "")
        raise CorpusError(f"{place}: has no field {text_field!r}, only {shown or 'none'}; set corpus.text_field")


def one_line(error: Exception) -> str:
    """A foreign error's message, fit for one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
