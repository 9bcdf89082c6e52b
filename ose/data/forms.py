"""Which form a file has by its name, in whatever case it is written."""

from __future__ import annotations

from pathlib import Path

from ose.data.unpacking import compression_of

SEPARATORS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
TEXT = ""
"""The form of a file of any other name: a line is a text."""

_FORMS = (*SEPARATORS, *JSON_LINES, ".json", ".parquet")


def form_of(source: str) -> str:
    """The suffix that says what form a file has, in small letters and without that of its compression."""
    path = Path(source)
    suffix = Path(path.stem if compression_of(path) else path).suffix.lower()
    return suffix if suffix in _FORMS else TEXT
