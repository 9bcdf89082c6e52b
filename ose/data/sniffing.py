"""What a file holds by its beginning, whatever its name says.

Text that is read in the wrong form is learnt all the same: a `.txt` that holds a table teaches a student commas, a page
of the web its tags, a JSON array its braces, and nothing fails.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from ose.data.forms import TEXT, form_of
from ose.data.text_lines import iter_text_blocks
from ose.data.unpacking import compression_of
from ose.errors import CorpusError

_HEAD_BYTES, _HEAD_CHARACTERS = 4_096, 128_000

_MAGIC = (
    (0, b"\x1f\x8b", "a gzip archive; name it .gz"),
    (0, b"\xfd7zXZ\0", "an xz archive; name it .xz"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive; name it .zst"),
    (4, b"1AY&SY", "a bzip2 archive; name it .bz2"),
    (0, b"PK\x03\x04", "a ZIP archive, as office documents are, too; unpack it, or save it as text"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it"),
    (0, b"PAR1", "parquet; name it .parquet"),
    (0, b"ARROW1", "Arrow; write it as parquet"),
    (0, b"%PDF-", "PDF; extract its text"),
    (0, b"{\\rtf", "RTF; save it as text"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document; save it as text"),
    (0, b"SQLite format 3\0", "a database; export its table"),
    (0, b"\xff\xfe", "UTF-16; convert it: iconv -f UTF-16 -t UTF-8"),
    (0, b"\xfe\xff", "UTF-16; convert it: iconv -f UTF-16 -t UTF-8"),
    (257, b"ustar", "a tar archive; unpack it"),
)
"""Place, bytes, and what they are of, with what to do."""

_PAGE = re.compile(r"(?i)\s*<(?:!doctype\s+html|html|head|body)\b")
_TAG = re.compile(r"<(?P<name>[A-Za-z_][\w:.-]*)(?:\s[^<>]*)?>")
_MARKED_LINE = re.compile(r"\s*</?[A-Za-z!?][^<>]*>")
_LONE_RETURN = re.compile(r"\r(?!\n)")
_NAME_OF_A_COLUMN = re.compile(r"[^\W\d][\w .#/()-]{0,39}")
_MOST_COMMENTS = 20
_FEWEST_LINES = 3
_MOST_LINES = 200
_MOST_OTHERS = 0.05
"""Of the lines of a table, those that may have other cells."""

_OTHER_SEPARATORS = {";": "a table with semicolons; write it with commas and name it .csv",
                     "|": "a table with vertical bars; write it with commas and name it .csv"}  # fmt: skip


def require_content(path: Path, *, as_is: bool) -> None:
    """Refuse a file that does not hold what its name says, as far as its beginning tells.

    Args:
        path: A file that may be read; parquet is left to its own reader.
        as_is: Whether the lines of a text file are meant as they are, whatever they look like.

    Raises:
        CorpusError: It does not, and the message says what it holds, and what to do; or it cannot be read.
    """
    form = form_of(str(path))
    if form == ".parquet":
        return
    if (known := _by_magic(path)) is not None:
        raise CorpusError(f"{path} holds {known}")
    if as_is and form == TEXT:
        return
    try:
        head = _head(path)
    except CorpusError:
        return  # where it breaks off is told by what reads it
    if problem := _problem(head, form):
        way_out = "; if its lines are meant, set corpus.as_is: true (--corpus-as-is)" if form == TEXT else ""
        raise CorpusError(f"{path} {problem}{way_out}")


def _problem(head: str, form: str) -> str:
    if form != ".json" and (problem := _lone_returns(head)):
        return problem
    lines = _whole_lines(head)
    found = _markup(head, lines)
    if not found and form == TEXT:
        found = _json(head) or _table(lines)
    return f"holds {found}" if found else ""


def _by_magic(path: Path) -> str | None:
    if compression_of(path):
        return None
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return next((what for place, magic, what in _MAGIC if head[place:].startswith(magic)), None)


def _head(path: Path) -> str:
    parts, room = [], _HEAD_CHARACTERS
    for block in iter_text_blocks(path):
        parts.append(block[:room])
        room -= len(block)
        if room <= 0:
            break
    return "".join(parts)


def _whole_lines(head: str) -> list[str]:
    """Of the beginning, as far as it is not cut, without blank ones."""
    lines = head.split("\n")
    complete = lines[:-1] if len(head) >= _HEAD_CHARACTERS else lines
    return list(islice((line.rstrip("\r") for line in complete if line.strip()), _MOST_LINES))


def _lone_returns(head: str) -> str:
    lone = len(_LONE_RETURN.findall(head))
    if lone < 2 or lone <= 2 * head.count("\n"):
        return ""
    return "ends its lines with carriage returns alone, so that all of them are one: convert it, as with tr '\\r' '\\n'"


def _markup(head: str, lines: Sequence[str]) -> str:
    if _PAGE.match(_without_comments(head)):
        return "HTML; extract its text"
    if head.lstrip().startswith("<?xml"):
        return "XML; extract its text"
    first = _TAG.match(head.lstrip())
    marked = sum(_MARKED_LINE.match(line) is not None for line in lines)
    is_closed = first is not None and f"</{first['name']}>" in head
    return "HTML or XML; extract its text" if is_closed and 2 * marked >= len(lines) else ""


def _without_comments(head: str) -> str:
    """Without those that markup begins with, as far as these are few."""
    text = head.lstrip()
    for _ in range(_MOST_COMMENTS):
        if not text.startswith("<!--"):
            break
        text = text.partition("-->")[2].lstrip()
    return text


def _json(head: str) -> str:
    text = head.lstrip()
    if text.startswith("["):
        inner = text[1:].lstrip()
        value, rest = _decoded(inner) if inner[:1] in ("{", "[", '"') else (None, "")
        if value is not None and rest[:1] in (",", "]"):
            return "a JSON array; name it .json"
    if text.startswith("{"):
        value, _ = _decoded(text)
        if isinstance(value, dict) and value:
            return "JSON objects; name it .jsonl, or .json"
    return ""


def _decoded(text: str) -> tuple[object, str]:
    """The value that a text begins with, and what follows it; None if it begins with none."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None, ""
    return value, text[end:].lstrip()


def _table(lines: Sequence[str]) -> str:
    if len(lines) < _FEWEST_LINES:
        return ""
    if _has_columns(lines, "\t", may_have_blanks=True):
        return "a table with tabs; name it .tsv"
    if _has_columns(lines, ","):
        return "a table with commas; name it .csv"
    return next((what for each, what in _OTHER_SEPARATORS.items() if _has_columns(lines, each)), "")


def _has_columns(lines: Sequence[str], separator: str, *, may_have_blanks: bool = False) -> bool:
    """Whether lines are rows: of as many cells each, and not as prose is, where a blank follows a comma."""
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return False
    width = len(rows[0])
    others = sum(len(row) != width for row in rows)
    if width < 2 or others > _MOST_OTHERS * len(rows):
        return False
    cells = [cell for row in rows for cell in row[1:] if cell]
    if not may_have_blanks and sum(cell[0].isspace() for cell in cells) > _MOST_OTHERS * len(cells):
        return False
    return _is_header(rows[0]) or _has_numbers(rows, width) or _is_quoted(lines, separator)


def _is_header(cells: Sequence[str]) -> bool:
    return len(set(cells)) == len(cells) and all(_NAME_OF_A_COLUMN.fullmatch(cell.strip()) for cell in cells)


def _has_numbers(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a column holds numbers alone."""
    columns = ([row[place] for row in rows if len(row) == width] for place in range(width))
    return any(all(_is_number(cell) for cell in column) for column in columns)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_quoted(lines: Sequence[str], separator: str) -> bool:
    """Whether most lines have a cell in quotes, as writers of tables put them."""
    return 2 * sum(f'"{separator}' in line or f'{separator}"' in line for line in lines) > len(lines)
