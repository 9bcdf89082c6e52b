"""Read the text column of a parquet file in batches of bounded size, whatever the file promises."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ose.data.parquet_pages import iter_page_sizes
from ose.data.records import one_line, require_field, text_of
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

if TYPE_CHECKING:
    from pyarrow import DataType
    from pyarrow.parquet import ColumnChunkMetaData, ParquetFile

_ROWS_PER_BATCH = 1024
_BYTES_PER_BATCH = 64_000_000
"""Of rows that are all as long as the largest page, where one value may lie once for all of them."""

_BUFFER_BYTES = 1 << 20
_TAIL = 8
"""Bytes behind the footer: its length, and the format's name."""


def iter_column(path: Path, text_field: str) -> Iterator[str]:
    """Yield the texts of a column.

    Raises:
        CorpusError: The file is missing, corrupt, lacks the column, or has a footer or a page larger than the
            operator allows.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        _require_small_footer(path)
        with parquet.ParquetFile(path, buffer_size=_BUFFER_BYTES) as file:
            require_field(file.schema_arrow.names, text_field, str(path))
            _require_text(file.schema_arrow.field(text_field).type, f"{path}: field {text_field!r}")
            for group in range(file.num_row_groups):
                rows = _rows_at_once(path, file, group, text_field)
                for batch in file.iter_batches(rows, row_groups=[group], columns=[text_field]):
                    for row in batch.to_pylist():
                        yield text_of(row, text_field, str(path))
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except (pyarrow.ArrowException, OSError) as error:
        raise CorpusError(f"{path} is a corrupt or truncated parquet file: {one_line(error)}") from error


def _require_small_footer(path: Path) -> None:
    most = operator_limits().max_header_bytes
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        footer_bytes = int.from_bytes(file.read(4), "little")
    if footer_bytes > most and footer_bytes < path.stat().st_size:  # else it is corrupt, and pyarrow says so
        raise CorpusError(f"{path} has a footer of more than {most:,} bytes ({setting_of('max_header_bytes')})")


def _require_text(kind: DataType, place: str) -> None:
    """Lists and structs unfold before a look at the first row could refuse them."""
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    if not (
        types.is_string(value) or types.is_large_string(value) or types.is_string_view(value) or types.is_null(value)
    ):
        raise CorpusError(f"{place} must hold text, not a {str(kind)[:60]}")


def _rows_at_once(path: Path, file: ParquetFile, group: int, text_field: str) -> int:
    """As many rows of a row group as fit into a batch, whichever values of its pages they have."""
    most, columns = operator_limits().max_page_bytes, file.metadata.row_group(group)
    chunks = [columns.column(number) for number in range(columns.num_columns)]
    largest = max(_largest_page(path, chunk) for chunk in chunks if chunk.path_in_schema == text_field)
    if largest > most:
        raise CorpusError(f"{path} has a page of more than {most:,} bytes ({setting_of('max_page_bytes')})")
    return max(1, min(_ROWS_PER_BATCH, _BYTES_PER_BATCH // largest))


def _largest_page(path: Path, chunk: ColumnChunkMetaData) -> int:
    first = chunk.data_page_offset
    if chunk.has_dictionary_page and chunk.dictionary_page_offset:
        first = min(first, chunk.dictionary_page_offset)
    try:
        with path.open("rb") as file:
            return max(iter_page_sizes(file, first, first + chunk.total_compressed_size), default=1) or 1
    except (ValueError, EOFError, OverflowError) as error:
        raise CorpusError(f"{path} is a corrupt or truncated parquet file: {one_line(error)}") from error
