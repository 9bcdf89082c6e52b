"""Stream documents out of text, JSONL and parquet files, compressed or not, and datasets of the hub.

| suffix | a document is |
| --- | --- |
| .jsonl .ndjson .json | the text field of the object on a line |
| .parquet | the text column of a row |
| any other | a line |

All but parquet may be compressed: .gz, .xz or .zst follows. Documents are stripped, blank ones skipped.
"""

from __future__ import annotations

import json
import lzma
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ose.artifacts.regular_files import require_regular
from ose.data.hub_dataset import DatasetId, iter_dataset, parse_dataset_id
from ose.data.parquet_text import iter_column
from ose.data.records import one_line, text_of
from ose.data.unpacking import COMPRESSIONS, iter_lines
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")


def iter_documents(paths: Sequence[str], text_field: str, root: Path | None = None) -> Iterator[str]:
    """Yield the documents of `paths`, one after the other, in bounded memory.

    Args:
        paths: Files, or ids of datasets (see `ose.data.hub_dataset`).
        text_field: The field or column that holds the text, where there are several.
        root: Folder that no file may lead out of by a link; None allows any.

    Raises:
        CorpusError: A file is missing, corrupt, no UTF-8, no file, lacks the field, or holds more than a limit of the
            operator's; the message names file and line.
    """
    for path in paths:
        dataset = parse_dataset_id(path)
        documents = _iter_dataset(dataset, text_field) if dataset else _iter_file(Path(path), text_field, root)
        yield from _without_blanks(documents, path)


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


def _iter_dataset(dataset: DatasetId, text_field: str) -> Iterator[str]:
    if Path(dataset.name).is_dir():
        raise CorpusError(
            f"dataset {dataset}: the working directory has a folder {dataset.name}, which would be read in its place; "
            "start OSE elsewhere"
        )
    return iter_dataset(dataset, text_field)


def _iter_file(path: Path, text_field: str, root: Path | None) -> Iterator[str]:
    _require_file(path, root)
    suffix = Path(path.stem).suffix if path.suffix in COMPRESSIONS else path.suffix
    if path.suffix == ".parquet":
        yield from iter_column(path, text_field)
    elif suffix in JSON_SUFFIXES:
        for number, line in _lines(path):
            yield _json_text(line, text_field, f"{path}, line {number}") if line.strip() else ""
    else:
        yield from (line for _, line in _lines(path))


def _require_file(path: Path, root: Path | None) -> None:
    try:
        require_regular(path, root)
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except OSError as error:
        raise CorpusError(f"{path} cannot be read: {error.strerror or one_line(error)}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of each line; decoded one by one, so that an error can name the line."""
    number = 0
    try:
        for number, raw in enumerate(iter_lines(path), start=1):
            line = raw.decode("utf-8-sig" if number == 1 else "utf8")
            if "\0" in line:
                raise CorpusError(f"{path}, line {number}: holds a null byte; this is no text file")
            yield number, line
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}, line {number}: is no UTF-8 text (byte {error.start} of the line)") from error
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        state = "is a corrupt or truncated archive" if path.suffix in COMPRESSIONS else "cannot be read"
        raise CorpusError(f"{path} {state}: {one_line(error)}") from error


def _json_text(line: str, text_field: str, place: str) -> str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{place}: is no valid JSON: {one_line(error)}") from error
    if not isinstance(record, dict):
        raise CorpusError(f"{place}: must hold a JSON object, not a {type(record).__name__}")
    text = text_of(record, text_field, place)
    # JSON can spell half a surrogate pair, which no tokenizer takes and no file holds.
    return text.encode("utf8", "replace").decode() if "\\ud" in line.lower() else text
