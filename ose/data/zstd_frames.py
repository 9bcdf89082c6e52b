"""The frames of a zstd file alone, without the zeros that may lie between them.

What unpacks zstd takes zeros for a damaged frame, and other formats' tools write them as padding.

Source:
    RFC 8878, section 3.1.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

_MAGIC, _SKIPPABLE = 0xFD2FB528, range(0x184D2A50, 0x184D2A60)
_RUN = 1
"""The type of a block that is one byte again and again, of which one is stored."""

_BYTES_AT_ONCE = 64 * 1024


class ZstdFrames(io.RawIOBase):
    """Reads a file's frames one after the other, piece by piece: a header, or a block. Anything else ends it.

    Args:
        file: It, which can seek; it is closed with this.

    Attributes:
        problem: What stands where a frame should begin; empty as long as nothing does.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces = self._sizes()
        self._left = 0
        self.problem = ""

    def readable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Close the file, too."""
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Put what comes next into `buffer`; its length, and 0 where no frame follows."""
        while not self._left and (size := next(self._pieces, None)) is not None:
            self._left = size
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)

    def _sizes(self) -> Iterator[int]:
        """Of each piece, at whose beginning the file stands then."""
        while self._skip_zeros():
            begin, told = self._file.tell(), self._file.read(8)
            magic = int.from_bytes(told[:4], "little")
            if magic == _MAGIC and len(told) > 4:
                self._file.seek(begin)
                yield from self._frame(told[4])
            elif magic in _SKIPPABLE:
                self._file.seek(int.from_bytes(told[4:], "little"), os.SEEK_CUR)
            else:
                self.problem = "bytes that are no archive follow its end" if begin else "it begins as no archive"
                return

    def _skip_zeros(self) -> bool:
        """Whether anything else follows, at which the file stands then; at its beginning nothing is skipped."""
        if not self._file.tell():
            is_there = bool(self._file.read(1))
            self._file.seek(0)
            return is_there
        while block := self._file.read(_BYTES_AT_ONCE):
            if rest := block.lstrip(b"\0"):
                self._file.seek(-len(rest), os.SEEK_CUR)
                return True
        return False

    def _frame(self, told: int) -> Iterator[int]:
        """A frame's pieces. `told` is the byte of its header that says what the header has."""
        is_single, has_checksum = told >> 5 & 1, told >> 2 & 1
        size_bytes = (is_single, 2, 4, 8)[told >> 6]
        yield 5 + (1 - is_single) + (0, 1, 2, 4)[told & 3] + size_bytes
        is_last = 0
        while not is_last:
            header = self._file.read(3)
            self._file.seek(-len(header), os.SEEK_CUR)
            block = int.from_bytes(header, "little")
            is_last, kind, num_bytes = block & 1, block >> 1 & 3, block >> 3
            yield 3 + (1 if kind == _RUN else num_bytes)
            if len(header) < 3:
                return  # what unpacks it says that it is cut short
        yield 4 * has_checksum
