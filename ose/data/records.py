"""What a file or dataset has at one place, in whatever form it came."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from ose.errors import CorpusError

_MOST_NAMES = 1_000
_MOST_CHARACTERS = 60
"""Of the names that are looked through and shown where one is missing: who wrote a file may have written millions."""


BLANK = "is blank"
"""The problem of a line that nothing is on, and that means nothing."""

NULL = "holds a null byte, which no text has"
"""The problem of a text, in whatever form it came."""


class Record(NamedTuple):
    """A line or row, read but not looked at.

    Attributes:
        place: What messages call it: `reviews.csv, line 7`.
        values: By the names of the columns.
        problem: Why there are no values, if there are none.
    """

    place: str
    values: Mapping[str, Any]
    problem: str = ""


def text_of(values: Mapping[str, Any], column: str) -> str:
    """The text in a column; a null is no text.

    Args:
        values: Of a record.
        column: The one that holds text.

    Raises:
        ValueError: There is no such column, or it holds something else. The message does not say where.
    """
    if column not in values:
        raise ValueError(missing_column(values, column))
    value = values[column]
    if value is not None and not isinstance(value, str):
        raise ValueError(f"column {column!r} must hold text, not {kind_of(value)}")
    if value and "\0" in value:
        raise ValueError(f"column {column!r} {NULL}")
    return whole_characters(value or "")


def kind_of(value: Any) -> str:
    """What a value is, in the words of JSON."""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "an array",
             dict: "an object", type(None): "null", bytes: "bytes"}  # fmt: skip
    return kinds.get(type(value), f"a {type(value).__name__}")


def whole_characters(text: str) -> str:
    """A text in which a question mark stands for half a character, which no tokenizer takes and JSON can spell."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf8", "replace").decode()
    return text


def require_columns(names: Iterable[str], columns: Iterable[str], place: str) -> None:
    """Refuse a file without a column that is read.

    Raises:
        CorpusError: One is missing; the message names the nearest.
    """
    present = list(names)
    for column in columns:
        if column not in present:
            raise CorpusError(f"{place} {missing_column(present, column)}")


def missing_column(names: Iterable[str], column: str) -> str:
    """What is said where there is no column of this name."""
    known = [str(name)[:_MOST_CHARACTERS] for name in islice(names, _MOST_NAMES)]
    if near := difflib.get_close_matches(column[:_MOST_CHARACTERS], known, n=1):
        return f"has no column {column!r}; nearest: {near[0]!r}"
    listed = ", ".join(map(repr, known[:10])) + (", ..." if len(known) > 10 else "")
    return f"has no column {column!r}, only {listed or 'none'}; set corpus.columns, or --text, --label ..."


def one_line(error: Exception) -> str:
    """A foreign error's message, fit for one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
