"""Open text files, compressed or not, so that what comes out of them stays within bounds."""

from __future__ import annotations

import gzip
import io
import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

COMPRESSIONS = (".gz", ".xz", ".zst")

_FREE_BYTES = 64_000_000
"""Any archive may grow to so much."""

_XZ_MEMORY_BYTES = 256_000_000
"""Of the decoder; `xz -9` asks for 65 MB, and a file may ask for 4 GB."""

_PACKED_BYTES_AT_ONCE = 64 * 1024
_BLOCK_BYTES = 64 * 1024


def iter_lines(path: Path) -> Iterator[bytes]:
    """Yield a file's lines as they are, with their ends.

    Raises:
        CorpusError: A line is longer than `max_line_bytes`, or an archive grows beyond `max_expansion`.
        OSError, EOFError, zlib.error, lzma.LZMAError: The file is not there, or is corrupt.
    """
    most = operator_limits().max_line_bytes
    with _open(path) as stream:
        lines = iter(lambda: stream.readline(most + 1), b"")
        for number, line in enumerate(_within_expansion(path, lines), start=1):
            if len(line) > most:
                raise CorpusError(
                    f"{path}, line {number}: is longer than {most:,} bytes "
                    f"({setting_of('max_line_bytes')}); a line is a document, so break it up"
                )
            yield line


def iter_blocks(path: Path) -> Iterator[bytes]:
    """Yield a file's content in blocks of some kilobytes.

    Raises:
        CorpusError, OSError, EOFError, zlib.error, lzma.LZMAError: As `iter_lines`.
    """
    with _open(path) as stream:
        yield from _within_expansion(path, iter(lambda: stream.read(_BLOCK_BYTES), b""))


def _within_expansion(path: Path, pieces: Iterable[bytes]) -> Iterator[bytes]:
    expansion = operator_limits().max_expansion
    room = _FREE_BYTES + expansion * path.stat().st_size if path.suffix in COMPRESSIONS else float("inf")
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise CorpusError(
                f"{path} grows to more than {expansion} times its size ({setting_of('max_expansion')}); unpack it first"
            )
        yield piece


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return io.BufferedReader(_XzStream(path))
    if path.suffix == ".zst":
        import pyarrow

        return io.BufferedReader(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd"))
    return path.open("rb")


class _XzStream(io.RawIOBase):
    """What `lzma.open` reads, by a decoder whose memory is bounded."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._decoder = _decoder()

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = b""
        while not data and (packed := self._packed()) is not None:
            data = self._decoder.decompress(packed, len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _packed(self) -> bytes | None:
        """What the decoder wants next; None behind the last stream."""
        if self._decoder.eof:
            following = (self._decoder.unused_data or self._file.read(_PACKED_BYTES_AT_ONCE)).lstrip(b"\0")
            self._decoder = _decoder() if following else self._decoder
            return following or None
        packed = self._file.read(_PACKED_BYTES_AT_ONCE) if self._decoder.needs_input else b""
        if self._decoder.needs_input and not packed:
            raise EOFError("it ends in the middle of a stream")
        return packed


def _decoder() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_MEMORY_BYTES)
