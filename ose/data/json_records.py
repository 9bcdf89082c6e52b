"""The objects of a JSON file: one a line, or all of them in one array, of which a few are in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ose.data.records import BLANK, Record, kind_of, one_line
from ose.data.text_lines import iter_text_blocks, iter_text_lines
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

_BLANKS = re.compile(r"[ \t\r\n]*")
_SCAN = json.JSONDecoder().raw_decode


def iter_json(path: Path) -> Iterator[Record]:
    """Yield the objects of a .json file, whose first character tells in which of the two forms it is.

    Raises:
        CorpusError: As `iter_json_lines` and `iter_json_array`.
    """
    yield from iter_json_array(path) if _Characters(path).next() == "[" else iter_json_lines(path)


def iter_json_lines(path: Path) -> Iterator[Record]:
    """Yield the object on each line.

    Raises:
        CorpusError: The file cannot be read, or a line is too long.
    """
    for number, line in iter_text_lines(path):
        place = f"{path}, line {number}"
        yield _record(line, place) if line.strip() else Record(place, {}, BLANK)


def iter_json_array(path: Path) -> Iterator[Record]:
    """Yield the objects of the array that a file is.

    Raises:
        CorpusError: The file cannot be read, holds something else, or an object is longer than a line may be.
    """
    text, number = _Characters(path), 0
    text.take("[")
    while text.next() != "]":
        if number:
            _require(text.take(","), f"{path}, behind row {number}: a comma or the array's end is missing")
        number += 1
        yield Record(f"{path}, row {number}", _next_object(text, f"{path}, row {number}"))
    text.take("]")
    _require(not text.next(), f"{path}: something follows the array")


def _record(line: str, place: str) -> Record:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Record(place, {}, f"is no valid JSON: {one_line(error)}")
    if not isinstance(value, dict):
        return Record(place, {}, f"must hold a JSON object, not {kind_of(value)}")
    return Record(place, value)


def _next_object(text: _Characters, place: str) -> dict[str, Any]:
    """Scanned again when there is twice as much of it, until it is complete."""
    _require(text.next() == "{", f"{place}: must hold a JSON object")
    most = operator_limits().max_line_bytes
    while True:
        try:
            value, end = _SCAN(text.rest, text.at)
            text.at = end
            return dict(value)
        except json.JSONDecodeError as error:
            what = f"is no valid JSON, or longer than {most:,} bytes ({setting_of('max_line_bytes')})"
            _require(len(text.rest) - text.at <= most, f"{place}: {what}")
            _require(text.grow(), f"{place}: is no valid JSON: {one_line(error)}")
        except (ValueError, RecursionError) as error:  # a number of too many digits, too deep a nesting
            raise CorpusError(f"{place}: is no valid JSON: {one_line(error)}") from error


class _Characters:
    """The characters of a file, of which those from `at` on in `rest` are next.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._blocks = iter_text_blocks(path)
        self.rest = ""
        self.at = 0

    def next(self) -> str:
        """The next one that is not blank, which is not taken; empty at the end."""
        self._skip_blanks()
        while self.at == len(self.rest) and self.grow():
            self._skip_blanks()
        return self.rest[self.at : self.at + 1]

    def take(self, character: str) -> bool:
        """Take this one, if it is the next that is not blank."""
        is_next = self.next() == character
        self.at += is_next
        return is_next

    def grow(self) -> bool:
        """Have at least twice as many; False at the end."""
        kept = self.rest[self.at :]
        parts, wanted = [kept], len(kept)
        for block in self._blocks:
            parts.append(block)
            wanted -= len(block)
            if wanted < 0:
                break
        self.rest, self.at = "".join(parts), 0
        return len(self.rest) > len(kept)

    def _skip_blanks(self) -> None:
        match = _BLANKS.match(self.rest, self.at)
        self.at = match.end() if match else self.at


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise CorpusError(problem)
