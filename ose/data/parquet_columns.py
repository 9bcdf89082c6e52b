"""Read columns of a parquet file in batches of bounded size, whatever the file promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ose.data.parquet_pages import Page, iter_pages
from ose.data.records import Record, one_line, require_columns
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

if TYPE_CHECKING:
    from pyarrow import DataType
    from pyarrow.parquet import ColumnChunkMetaData, ColumnSchema, ParquetFile

_ROWS_PER_BATCH = 1024
_BYTES_PER_BATCH = 64_000_000
"""Of rows that are all as long as the largest page, where one value may lie once for all of them."""

_MOST_LISTED = 20_000_000
"""Values of a column of lists in one row group, all of which one row may have."""

_BUFFER_BYTES = 1 << 20
_TAIL = 8
"""Bytes behind the footer: its length, and the format's name."""


def iter_parquet(path: Path, texts: Sequence[str], others: Sequence[str] = ()) -> Iterator[Record]:
    """Yield the named columns of each row.

    Args:
        path: The file.
        texts: Columns that hold text.
        others: Columns that may hold text, numbers or lists of numbers.

    Raises:
        CorpusError: The file is missing, corrupt, lacks a column, holds something else in one, or has a footer or a
            page larger than the operator allows.
    """
    import pyarrow
    from pyarrow import parquet

    numbers = count(1)
    try:
        _require_small_footer(path)
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
            _require_kinds(path, file, texts, others)
            columns = [*texts, *others]
            for group in range(file.num_row_groups):
                rows = _rows_at_once(path, file, group, columns)
                for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
                    for values in batch.to_pylist():
                        yield Record(f"{path}, row {next(numbers)}", values)
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}, behind row {next(numbers) - 1}: is no UTF-8 text") from error
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path} is a corrupt or truncated parquet file: {one_line(error)}") from error


def _require_small_footer(path: Path) -> None:
    most = operator_limits().max_header_bytes
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        footer_bytes = int.from_bytes(file.read(4), "little")
    if footer_bytes > most and footer_bytes < path.stat().st_size:  # else it is corrupt, and pyarrow says so
        raise CorpusError(f"{path} has a footer of more than {most:,} bytes ({setting_of('max_header_bytes')})")


def _require_kinds(path: Path, file: ParquetFile, texts: Sequence[str], others: Sequence[str]) -> None:
    """Structs, and lists of text, unfold before a look at the first row could refuse them."""
    schema = file.schema_arrow
    require_columns(schema.names, [*texts, *others], str(path))
    for column in (*texts, *others):
        if schema.names.count(column) > 1:
            raise CorpusError(f"{path} has {schema.names.count(column)} columns {column!r}")
        kind = schema.field(column).type
        if not (_is_text(kind) or (column in others and (_is_number(kind) or _is_list(kind)))):
            wanted = "text" if column in texts else "text, numbers or lists of numbers"
            raise CorpusError(f"{path}: column {column!r} must hold {wanted}, not {_stored_as(file, column)}")


def _stored_as(file: ParquetFile, column: str) -> str:
    """What the file's own schema says of a column, in the words of parquet: `INT64`, `BYTE_ARRAY (Decimal(...))`."""
    leaves = [file.schema.column(place) for place in range(len(file.schema))]
    kinds = [_words(leaf) for leaf in leaves if leaf.path.partition(".")[0] == column]
    path = next(leaf.path for leaf in leaves if leaf.path.partition(".")[0] == column)
    is_list = path.count(".") == 2 and len(kinds) == 1
    return kinds[0] if path == column else f"a LIST of {kinds[0]}" if is_list else f"a group of {', '.join(kinds)[:60]}"


def _words(leaf: ColumnSchema) -> str:
    logical = str(leaf.logical_type)
    return leaf.physical_type if logical == "None" else f"{leaf.physical_type} ({logical[:40]})"


def _is_text(kind: DataType) -> bool:
    from pyarrow import types

    value: Any = kind.value_type if types.is_dictionary(kind) else kind
    return any(
        matches(value) for matches in (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    )


def _is_number(kind: DataType) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind))


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool((types.is_list(kind) or types.is_large_list(kind)) and _is_number(kind.value_type))


def _rows_at_once(path: Path, file: ParquetFile, group: int, columns: Sequence[str]) -> int:
    """As many rows of a row group as fit into a batch, whichever values of its pages they have."""
    most, stored = operator_limits().max_page_bytes, file.metadata.row_group(group)
    chunks = [stored.column(number) for number in range(stored.num_columns)]
    largest = 1
    for chunk in chunks:
        name, _, is_nested = chunk.path_in_schema.partition(".")
        if chunk.path_in_schema in columns or name in columns:
            pages = _promised(path, chunk)
            largest = max(largest, pages.num_bytes)
            if is_nested and pages.num_values > _MOST_LISTED:
                raise CorpusError(
                    f"{path}: column {name!r} has more than {_MOST_LISTED:,} values in a row group; write smaller ones"
                )
    if largest > most:
        raise CorpusError(f"{path} has a page of more than {most:,} bytes ({setting_of('max_page_bytes')})")
    return max(1, min(_ROWS_PER_BATCH, _BYTES_PER_BATCH // largest))


def _promised(path: Path, chunk: ColumnChunkMetaData) -> Page:
    """The bytes of a column's largest page, and the values of all of them."""
    first = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        first = min(first, chunk.dictionary_page_offset)
    try:
        with path.open("rb") as file:
            largest, num_values = 0, 0
            for page in iter_pages(file, first, first + chunk.total_compressed_size):
                largest, num_values = max(largest, page.num_bytes), num_values + page.num_values
            return Page(largest, num_values)
    except (ValueError, EOFError, OverflowError) as error:
        raise CorpusError(f"{path} is a corrupt or truncated parquet file: {one_line(error)}") from error
