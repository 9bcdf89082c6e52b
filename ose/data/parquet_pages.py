"""How large the pages of a parquet file become, read from their headers: 500 bytes of file may promise gigabytes.

What the footer says of a column is not what a reader goes by. It makes room for what a page's own header says, and no
page unpacks to more than that. Headers are structs in Thrift's compact protocol.

Source:
    https://github.com/apache/parquet-format and Thrift's specification of its compact protocol.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_UNCOMPRESSED_SIZE, _COMPRESSED_SIZE = (2,), (3,)
_NUM_VALUES = ((5, 1), (8, 1))
"""Fields of a page's header, and of the structs in it that data pages have, of either version."""

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12
_INTEGERS = (4, 5, 6)
_MAX_NESTING = 8
_MAX_VARINT_BYTES = 10


class Page(NamedTuple):
    """What a page's header promises.

    Attributes:
        num_bytes: When it is unpacked.
        num_values: Nulls too; none of a dictionary.
    """

    num_bytes: int
    num_values: int


def iter_pages(file: BinaryIO, first: int, last: int) -> Iterator[Page]:
    """Yield the pages between two places of a file, dictionaries included.

    Raises:
        ValueError, EOFError: There are no pages.
    """
    file.seek(first)
    while file.tell() < last:
        told = _integers(file)
        unpacked, packed = told.get(_UNCOMPRESSED_SIZE, -1), told.get(_COMPRESSED_SIZE, -1)
        if unpacked < 0 or packed < 0:
            raise ValueError("a page has no size")
        yield Page(unpacked, max(told.get(place, 0) for place in _NUM_VALUES))
        file.seek(packed, os.SEEK_CUR)


def _integers(file: BinaryIO, depth: int = 0) -> dict[tuple[int, ...], int]:
    """The integers of a struct and of those in it by their fields, the largest where one is given twice."""
    if depth > _MAX_NESTING:
        raise ValueError("a page's header is nested too deeply")
    found: dict[tuple[int, ...], int] = {}
    number = 0
    while (kind := (head := _byte(file)) & 15) != _STOP:
        number = number + (head >> 4) if head >> 4 else _zigzag(file)
        if kind in _INTEGERS:
            found[number,] = max(_zigzag(file), found.get((number,), -1))
        elif kind == _STRUCT:
            for place, value in _integers(file, depth + 1).items():
                found[number, *place] = max(value, found.get((number, *place), -1))
        elif kind not in (_TRUE, _FALSE):
            _skip(file, kind, depth)
    return found


def _skip(file: BinaryIO, kind: int, depth: int) -> None:
    if kind in (_TRUE, _FALSE, _BYTE):  # of a list, where a truth takes a byte
        _byte(file)
    elif kind in _INTEGERS:
        _varint(file)
    elif kind in (_DOUBLE, _BINARY):
        file.seek(8 if kind == _DOUBLE else _varint(file), os.SEEK_CUR)
    elif kind in (_LIST, _SET):
        head = _byte(file)
        for _ in range(head >> 4 if head >> 4 < 15 else _varint(file)):
            _skip(file, head & 15, depth + 1)
    elif kind == _STRUCT:
        _integers(file, depth + 1)
    else:  # no header of a page has maps
        raise ValueError(f"a page's header has a field of the kind {kind}")


def _zigzag(file: BinaryIO) -> int:
    value = _varint(file)
    return (value >> 1) ^ -(value & 1)


def _varint(file: BinaryIO) -> int:
    value = 0
    for place in range(_MAX_VARINT_BYTES):
        byte = _byte(file)
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value
    raise ValueError("a number is too long")


def _byte(file: BinaryIO) -> int:
    read = file.read(1)
    if not read:
        raise EOFError("it ends in a page's header")
    return read[0]
