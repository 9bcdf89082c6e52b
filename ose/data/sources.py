"""The records of a file or dataset, whatever form it has.

| suffix | a record is |
| --- | --- |
| .csv .tsv | a row by its header |
| .jsonl .ndjson | the object on a line |
| .json | the same, or an object of the array that the file is |
| .parquet | a row |
| any other | a line, which is a text |

In any case. All but parquet may be compressed: .gz, .xz, .zst or .bz2 follows. An id of a dataset of the hub stands
for its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ose.artifacts.regular_files import require_regular
from ose.core.spec import Columns, Quotes
from ose.data.delimited import iter_delimited
from ose.data.forms import JSON_LINES, SEPARATORS, form_of
from ose.data.hub_dataset import DatasetId, iter_dataset, parse_dataset_id
from ose.data.json_records import iter_json, iter_json_lines
from ose.data.parquet_columns import iter_parquet
from ose.data.records import BLANK, NULL, Record, one_line
from ose.data.text_lines import iter_text_lines
from ose.errors import BrokenFileError, CorpusError


def iter_records(source: str, columns: Columns, root: Path | None = None, quotes: Quotes = "auto") -> Iterator[Record]:
    """Yield what a source has, one after the other, in bounded memory. Its columns are there; what is in them is raw.

    Args:
        source: A file, or the id of a dataset (see `ose.data.hub_dataset`).
        columns: Those that are read.
        root: Folder that no file may lead out of by a link; None allows any.
        quotes: What a quote means in CSV and TSV.

    Raises:
        CorpusError: The source is missing, corrupt, no UTF-8, no file, lacks a column, or holds more than a limit of
            the operator's; the message names file and line.
    """
    names = list(columns.named().values())
    if dataset := parse_dataset_id(source):
        _require_no_folder(dataset)
        yield from iter_dataset(dataset, names)
        return
    require_file(Path(source), root)
    yield from _told_how_far(_of_file(source, columns, quotes), "documents" if len(names) == 1 else "rows")


def _of_file(source: str, columns: Columns, quotes: Quotes) -> Iterator[Record]:
    path, suffix, names = Path(source), form_of(source), list(columns.named().values())
    if suffix in SEPARATORS:
        yield from iter_delimited(path, SEPARATORS[suffix], names, quotes)
    elif suffix in JSON_LINES:
        yield from iter_json_lines(path)
    elif suffix == ".json":
        yield from iter_json(path)
    elif suffix == ".parquet":
        texts = [name for name in (columns.text, columns.text_pair) if name is not None]
        yield from iter_parquet(path, texts, [name for name in names if name not in texts])
    else:
        yield from _iter_lines(path, columns)


def is_table(source: str) -> bool:
    """Whether a source is CSV or TSV."""
    return parse_dataset_id(source) is None and form_of(source) in SEPARATORS


def _told_how_far(records: Iterator[Record], what: str) -> Iterator[Record]:
    """The same; where a file breaks off, it is said after how many."""
    count = 0
    try:
        for record in records:
            count += record.problem != BLANK
            yield record
    except BrokenFileError as error:
        raise CorpusError(f"{error}, after {count:,} {what}") from error


def require_file(path: Path, root: Path | None) -> None:
    """Refuse what is no file that may be read.

    Raises:
        CorpusError: It is missing, no regular file, or not in `root`.
    """
    try:
        require_regular(path, root)
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or one_line(error)}") from error


def _iter_lines(path: Path, columns: Columns) -> Iterator[Record]:
    for other in list(columns.named().values())[1:]:
        raise CorpusError(f"{path} has no column {other!r}: of a text file each line is a text, with nothing beside it")
    for number, line in iter_text_lines(path):
        place = f"{path}, line {number}"
        problem = NULL if "\0" in line else "" if line.strip() else BLANK
        yield Record(place, {} if problem else {columns.text: line}, problem)


def _require_no_folder(dataset: DatasetId) -> None:
    if Path(dataset.name).is_dir():
        raise CorpusError(
            f"dataset {dataset}: the working directory has a folder {dataset.name}, which would be read in its place; "
            "start OSE elsewhere"
        )
