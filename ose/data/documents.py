"""Stream documents out of files and datasets: the texts alone, stripped, blank ones skipped.

`ose.data.sources` says which forms there are; a line of a file without one is a document.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ose.core.spec import Columns, Quotes
from ose.data.records import BLANK, NULL, Record, text_of
from ose.data.sources import is_table, iter_records, require_file
from ose.data.text_lines import iter_text_lines
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of


@dataclass(slots=True)
class DocumentCount:
    """What was read.

    Attributes:
        num_records: Records, without lines that nothing is on.
        num_without_text: Those of them whose text is null or blank, and that are no documents.
    """

    num_records: int = 0
    num_without_text: int = 0


def iter_documents(
    paths: Sequence[str],
    text_column: str,
    root: Path | None = None,
    *,
    tables: bool = True,
    quotes: Quotes = "auto",
    count: DocumentCount | None = None,
) -> Iterator[str]:
    """Yield the documents of `paths`, one after the other, in bounded memory.

    Args:
        paths: Files, or ids of datasets.
        text_column: The field or column that holds the text, where there are several.
        root: Folder that no file may lead out of by a link; None allows any.
        tables: Whether CSV and TSV are read by their columns; else each line is a document.
        quotes: What a quote means in CSV and TSV.
        count: Counts what is read.

    Raises:
        CorpusError: As `iter_records`; or a record has no text, or one longer than a line may be.
    """
    count = count or DocumentCount()
    for path in paths:
        if tables or not is_table(path):
            records = iter_records(path, Columns(text=text_column), root, quotes)
            yield from _without_blanks((_document(record, text_column, count) for record in records), path)
        else:
            yield from _without_blanks(_lines(Path(path), root), path)


def _lines(path: Path, root: Path | None) -> Iterator[str]:
    require_file(path, root)
    for number, line in iter_text_lines(path):
        if "\0" in line:
            raise CorpusError(f"{path}, line {number}: {NULL}")
        yield line


def _document(record: Record, text_column: str, count: DocumentCount) -> str:
    if record.problem == BLANK:
        return ""
    try:
        if record.problem:
            raise ValueError(record.problem)
        text = text_of(record.values, text_column)
        count.num_records += 1
        count.num_without_text += not text.strip()
        return text
    except ValueError as error:
        raise CorpusError(f"{record.place}: {error}") from error


def _without_blanks(documents: Iterator[str], path: str) -> Iterator[str]:
    limits, num_blank = operator_limits(), 0
    for document in documents:
        if len(document) > limits.max_line_bytes:
            raise CorpusError(
                f"{path}: a document is longer than {limits.max_line_bytes:,} bytes ({setting_of('max_line_bytes')})"
            )
        if stripped := document.strip():
            num_blank = 0
            yield stripped
        elif (num_blank := num_blank + 1) > limits.max_blank_lines:
            raise CorpusError(
                f"{path}: more than {limits.max_blank_lines:,} lines or records without text follow one another "
                f"({setting_of('max_blank_lines')})"
            )
