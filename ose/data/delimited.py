"""The rows of a CSV or TSV file, whose first line names the columns.

Writers differ in what a quote means. A CSV writer puts cells that hold a separator, a line break or a quote between
quotes, and doubles each quote inside. Others write a quote as any character, the TSV files of GLUE among them. Either
way of reading goes wrong in silence where the other was meant, so of a TSV file it is found out which one was: by both
ways the beginning of the file is read, and the one by which each row has as many cells as the header is right. Where
both do and give different cells, the file is refused until the job says `corpus.quotes`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from ose.core.spec import Quotes
from ose.data.records import BLANK, Record, require_columns
from ose.data.text_lines import iter_text_lines
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

_BEGINNING = 1_000_000
"""Characters by which it is decided what the quotes of a TSV file mean."""

_OF_A_LINE, _OF_A_CELL = 100, 9
"""Characters that one more of these weighs like, in memory."""

_MOST_COLUMNS = 10_000
_END_IN_QUOTES = "unexpected end of data"
"""What the csv module says of a quote that is not closed."""

Line = tuple[int, str]
Cells = tuple[int, list[str]]
"""The number of a row's first line, and the row; none of a blank line."""

Reading = Callable[[Iterable[Line]], Iterator[Cells]]


def iter_delimited(path: Path, separator: str, columns: Sequence[str], quotes: Quotes = "auto") -> Iterator[Record]:
    """Yield the named columns of each row; one with too few or too many cells has a problem instead.

    Args:
        path: The file.
        separator: A comma or a tab.
        columns: Those that are read.
        quotes: What a quote means.

    Raises:
        CorpusError: The file cannot be read, lacks a column, its quotes are not closed or may mean either, or a row is
            longer than a line may be.
    """
    reader = _Reader(path, separator, columns)
    lines = iter_text_lines(path)
    if quotes == "auto" and separator == "\t":
        beginning = list(_beginning(lines))
        reading = reader.decided(beginning)
        lines = chain(beginning, lines)
    else:
        reading = reader.literal if quotes == "literal" else reader.csv
    yield from reader.records(reading(lines))


def _beginning(lines: Iterator[Line]) -> Iterator[Line]:
    room = _BEGINNING
    for number, line in lines:
        yield number, line
        room -= _weight(line)
        if room <= 0:
            return


def _weight(line: str) -> int:
    return len(line) + _OF_A_LINE


class _Reader:
    """Reads the lines of one file in one way or the other.

    Args:
        path: The file.
        separator: Between its cells.
        columns: Those that are read.
    """

    def __init__(self, path: Path, separator: str, columns: Sequence[str]) -> None:
        self._path = path
        self._separator = separator
        self._columns = columns

    def records(self, rows: Iterator[Cells]) -> Iterator[Record]:
        """The rows behind the header by their columns."""
        header = next((cells for _, cells in rows if cells), None)
        if header is None:
            return
        if len(header) > _MOST_COLUMNS:  # which is where splitting ends
            raise CorpusError(f"{self._path} has more than {_MOST_COLUMNS:,} columns")
        require_columns(header, self._columns, str(self._path))
        places = {column: self._only_place(header, column) for column in self._columns}
        for number, cells in rows:
            yield self._record(f"{self._path}, line {number}", cells, header, places)

    def literal(self, lines: Iterable[Line]) -> Iterator[Cells]:
        """Cells as they stand between separators."""
        for number, line in lines:
            bare = line.rstrip("\r\n")
            yield number, bare.split(self._separator, _MOST_COLUMNS) if bare else []

    def undecided(self, lines: Iterable[Line]) -> Iterator[Cells]:
        """The same of a file in which no quote has told yet what quotes mean: the first that matters is refused."""
        for number, cells in self.literal(lines):
            if any(cell.startswith('"') for cell in cells):
                raise self._ambiguous(f"{self._path}, line {number}")
            yield number, cells

    def csv(self, lines: Iterable[Line]) -> Iterator[Cells]:
        """Cells as a CSV writer has written them; a quoted one may have several lines."""
        feed = _Feed(self._path, lines, self._separator)
        try:
            for cells in csv.reader(feed, delimiter=self._separator, strict=True):
                yield feed.first, cells
                feed.begin_row()
        except csv.Error as error:
            raise CorpusError(f"{self._path}, line {feed.first}: {_problem(error)}") from error

    def decided(self, beginning: Sequence[Line]) -> Reading:
        """The way in which a file is to be read that begins so."""
        goes_on = sum(_weight(line) for _, line in beginning) >= _BEGINNING
        literal = _Trial(self.literal(beginning), goes_on=goes_on)
        as_csv = _Trial(self.csv(beginning), goes_on=goes_on)
        if not (literal.has(self._columns) and as_csv.has(self._columns)):
            return self.csv if as_csv.has(self._columns) else self.literal
        if literal.rows == as_csv.rows:
            return self.undecided
        if literal.is_whole and not as_csv.is_whole:
            return self.literal
        if as_csv.is_whole and not literal.is_whole:
            return self.csv
        raise self._ambiguous(str(self._path))

    def _record(self, place: str, cells: list[str], header: list[str], places: dict[str, int]) -> Record:
        if not cells:
            return Record(place, {}, BLANK)
        if len(cells) != len(header):
            return Record(place, {}, f"has {len(cells)} cells, but the header has {len(header)}")
        return Record(place, {column: cells[index] for column, index in places.items()})

    def _only_place(self, header: list[str], column: str) -> int:
        if header.count(column) > 1:
            raise CorpusError(f"{self._path} has {header.count(column)} columns {column!r}")
        return header.index(column)

    def _ambiguous(self, place: str) -> CorpusError:
        return CorpusError(
            f"{place}: its quotes may belong to the text or stand around cells; set corpus.quotes to literal or to csv"
        )


class _Trial:
    """What the beginning of a file is by one way of reading.

    Attributes:
        rows: As far as they can be read so.
        is_whole: Whether all can, and each has as many cells as the first. A cell in quotes may go on where the
            beginning ends.

    Args:
        rows: Of the beginning.
        goes_on: Whether it is not all of the file.
    """

    def __init__(self, rows: Iterator[Cells], *, goes_on: bool) -> None:
        self.rows: list[list[str]] = []
        is_read = True
        try:
            self.rows.extend(cells for _, cells in rows if cells)
        except CorpusError as error:
            is_read = goes_on and _END_IN_QUOTES in str(error.__cause__)
        self.is_whole = is_read and all(len(cells) == len(self.rows[0]) for cells in self.rows)

    def has(self, columns: Sequence[str]) -> bool:
        """Whether the header has all of these."""
        return bool(self.rows) and set(columns) <= set(self.rows[0])


class _Feed:
    """Hands lines to the reader of the csv module, and no more of them for one row than a line may be long.

    Args:
        path: The file.
        lines: Its lines.
        separator: Between its cells.
    """

    def __init__(self, path: Path, lines: Iterable[Line], separator: str) -> None:
        self._path = path
        self._separator = separator
        self._lines = iter(lines)
        self._most = operator_limits().max_line_bytes
        self._number = 0
        self.begin_row()

    def begin_row(self) -> None:
        """What comes next is another row."""
        self._size = 0
        self.first = self._number + 1

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        self._number, line = next(self._lines)
        self._size += len(line) + _OF_A_CELL * line.count(self._separator)
        if self._size > self._most:
            raise CorpusError(
                f"{self._path}, line {self.first}: begins a row of more than {self._most:,} bytes "
                f"({setting_of('max_line_bytes')}); is a quote not closed?"
            )
        return line


def _problem(error: csv.Error) -> str:
    message = str(error)
    if "field larger than field limit" in message:
        return f"a cell has more than {csv.field_size_limit():,} characters"
    if _END_IN_QUOTES in message:
        return "a quote is not closed; where quotes are text, set corpus.quotes to literal"
    if "expected after" in message:
        return "something stands behind a cell's closing quote; where quotes are text, set corpus.quotes to literal"
    return f"is no row of a table: {message}"
