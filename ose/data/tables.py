"""Stream the rows of a labelled corpus: a text or two, and what is right of them.

What a label means is the task's to say: here it is what the file has, a text, a number, or a list of these for several
labels at once. Texts and labels are stripped. A row that cannot be used refuses the corpus, by file and line, unless a
share of such rows is allowed: then they are left out and counted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ose.core.shown import is_unstorable
from ose.core.spec import Columns, Quotes
from ose.data.records import BLANK, Record, kind_of, missing_column, text_of
from ose.data.sources import iter_records
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of


class Row(NamedTuple):
    """An item of a corpus.

    Attributes:
        place: What messages call it: `reviews.csv, line 7`.
        text: The text, or the first of two.
        text_pair: The second, where the corpus has one.
        label: A text, a number, a truth, or a list of these; None where the corpus has none.
        query_id: Which query it belongs to, where the corpus says so.
    """

    place: str
    text: str
    text_pair: str | None = None
    label: Any = None
    query_id: str | None = None


@dataclass(slots=True, kw_only=True)
class RowCount:
    """The rows that were read, and those of them that cannot be used. One counts one reading.

    Attributes:
        allowed_share: Of the rows, that may be bad.
        num_rows: Read so far, with the bad ones.
        num_bad: Those that cannot be used.
        first_problem: Where and why, of the first of them.
    """

    allowed_share: float = 0.0
    num_rows: int = 0
    num_bad: int = 0
    first_problem: str = ""

    @property
    def bad_share(self) -> float:
        """Of the rows read so far; 0 of none."""
        return self.num_bad / self.num_rows if self.num_rows else 0.0

    def leave_out(self, problem: str) -> None:
        """Count a bad row.

        Raises:
            CorpusError: None is allowed.
        """
        if not self.allowed_share:
            raise CorpusError(problem)
        self.num_bad += 1
        self.first_problem = self.first_problem or problem

    def require_few(self) -> None:
        """Refuse a corpus of which more cannot be used than is allowed; said when all of it has been read.

        Raises:
            CorpusError: There are more.
        """
        if self.bad_share > self.allowed_share:
            raise CorpusError(
                f"{self.first_problem}; {self.num_bad:,} of {self.num_rows:,} rows cannot be used, more than the share "
                f"of {self.allowed_share:g} that corpus.skip_bad_rows allows"
            )


def iter_rows(
    paths: Sequence[str],
    columns: Columns,
    root: Path | None = None,
    *,
    quotes: Quotes = "auto",
    count: RowCount | None = None,
) -> Iterator[Row]:
    """Yield the usable rows of `paths`, one after the other, in bounded memory.

    Args:
        paths: Files, or ids of datasets; see `ose.data.sources`.
        columns: Those that are read.
        root: Folder that no file may lead out of by a link; None allows any.
        quotes: What a quote means in CSV and TSV.
        count: Counts them, and says how many may be bad; without one none may.

    Raises:
        CorpusError: As `iter_records`; or a row is bad, or more of them than are allowed.
    """
    count, limits = count or RowCount(), operator_limits()
    for path in paths:
        run = 0
        for record in iter_records(path, columns, root, quotes):
            row = _counted(record, columns, count, limits.max_line_bytes)
            if row is not None:
                run = 0
                yield row
            elif (run := run + 1) > limits.max_blank_lines:
                what = f"rows that are blank or cannot be used follow one another ({setting_of('max_blank_lines')})"
                first = f"; the first that cannot: {count.first_problem}" if count.first_problem else ""
                raise CorpusError(f"{path}: more than {limits.max_blank_lines:,} {what}{first}")
    count.require_few()


def _counted(record: Record, columns: Columns, count: RowCount, most_characters: int) -> Row | None:
    """A record as a row; None if it is blank, or bad, which is counted."""
    if record.problem == BLANK:
        return None
    count.num_rows += 1
    try:
        return _row(record, columns, most_characters)
    except ValueError as error:
        count.leave_out(f"{record.place}: {error}")
        return None


def _row(record: Record, columns: Columns, most_characters: int) -> Row:
    _require(not record.problem, record.problem)
    values, pair, label, query_id = record.values, columns.text_pair, columns.label, columns.query_id
    return Row(
        place=record.place,
        text=_text(values, columns.text, most_characters),
        text_pair=None if pair is None else _text(values, pair, most_characters),
        label=None if label is None else _label(values, label),
        query_id=None if query_id is None else _query_id(values, query_id),
    )


def _text(values: Mapping[str, Any], column: str, most: int) -> str:
    text = text_of(values, column).strip()
    _require(text, f"column {column!r} is empty")
    _require(len(text) <= most, f"column {column!r} is longer than {most:,} bytes ({setting_of('max_line_bytes')})")
    return text


def _label(values: Mapping[str, Any], column: str) -> Any:
    value = _value(values, column)
    value = _listed(value) if isinstance(value, str) else value
    for each in value if isinstance(value, list) else [value]:
        _require_label(each, column)
    return [_stripped(each) for each in value] if isinstance(value, list) else _stripped(value)


def _listed(cell: str) -> Any:
    """A cell of a table may hold a list as JSON writes it; any other text is a label's name."""
    if not cell.lstrip().startswith("["):
        return cell
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return cell
    return value if isinstance(value, list) else cell


def _require_label(value: Any, column: str) -> None:
    is_text, is_number = isinstance(value, str), isinstance(value, (int, float))
    kind = kind_of(value)
    _require(is_text or is_number, f"column {column!r} must hold labels, which are text or numbers, not {kind}")
    if is_text:
        _require(value.strip(), f"column {column!r} has an empty label")
        _require(not is_unstorable(value), f"column {column!r} has a label with a null or half a character")
    is_nan = value.strip().lower() == "nan" if is_text else value != value  # NaN alone is not itself
    _require(not is_nan, f"column {column!r} holds NaN, which is no label")
    _require(is_text or abs(value) <= _LARGEST, f"column {column!r} holds a number that is too large")


_LARGEST = 2**53
"""Beyond, numbers are not told from their neighbours when they are computed with."""


def _stripped(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def _query_id(values: Mapping[str, Any], column: str) -> str:
    value = _value(values, column)
    is_id = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
    _require(is_id, f"column {column!r} must hold ids, which are text or whole numbers, not {kind_of(value)}")
    query_id = str(value).strip()
    _require(query_id, f"column {column!r} is empty")
    _require(not is_unstorable(query_id), f"column {column!r} holds a null or half a character")
    return query_id


def _value(values: Mapping[str, Any], column: str) -> Any:
    if column not in values:
        raise ValueError(missing_column(values, column))
    if values[column] is None:
        raise ValueError(f"column {column!r} is empty")
    return values[column]


def _require(holds: object, problem: str) -> None:
    if not holds:
        raise ValueError(problem)
