"""Open text files, compressed or not, so that what comes out of them stays within bounds."""

from __future__ import annotations

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

from ose.data.zstd_frames import ZstdFrames
from ose.errors import CorpusError
from ose.limits import operator_limits, setting_of

COMPRESSIONS = (".gz", ".xz", ".zst", ".bz2")

_FREE_BYTES = 64_000_000
"""Any archive may grow to so much."""

_XZ_MEMORY_BYTES = 256_000_000
"""Of the decoder; `xz -9` asks for 65 MB, and a file may ask for 4 GB."""

_PACKED_BYTES_AT_ONCE = 64 * 1024
_BLOCK_BYTES = 64 * 1024


def compression_of(path: Path) -> str:
    """The suffix that says how a file is compressed, in small letters; empty if it is not."""
    suffix = path.suffix.lower()
    return suffix if suffix in COMPRESSIONS else ""


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
    room = _FREE_BYTES + expansion * path.stat().st_size if compression_of(path) else float("inf")
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise CorpusError(
                f"{path} grows to more than {expansion} times its size ({setting_of('max_expansion')}); unpack it first"
            )
        yield piece


def _open(path: Path) -> BinaryIO:
    compression = compression_of(path)
    if compression == ".zst":
        return cast(BinaryIO, io.BufferedReader(_UnpackedZstd(path.open("rb"))))
    file = path.open("rb")
    if not compression:
        return file
    return cast(BinaryIO, io.BufferedReader(_Members(file, _FORMATS[compression])))


class _UnpackedZstd(io.RawIOBase):
    """A zstd file, unpacked. What is wrong behind a frame is told when all before it has been read.

    Args:
        file: It, which is closed with this.
    """

    def __init__(self, file: BinaryIO) -> None:
        import pyarrow

        self._frames = ZstdFrames(file)
        self._stream = pyarrow.CompressedInputStream(self._frames, "zstd")

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._frames.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        if not data and self._frames.problem:
            raise EOFError(self._frames.problem)
        buffer[: len(data)] = data
        return len(data)


class _Decoder(Protocol):
    """As those of lzma and bz2 are: `max_length` bounds what comes out, and the rest waits inside."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _GzipDecoder:
    """The same of zlib."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        return self._inflate.eof

    @property
    def needs_input(self) -> bool:
        return not self._inflate.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inflate.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inflate.decompress(self._inflate.unconsumed_tail + data, max_length)


class _Format(NamedTuple):
    """How archives of a kind begin, and what unpacks one."""

    magic: bytes
    decoder: Callable[[], _Decoder]


_FORMATS = {
    ".gz": _Format(b"\x1f\x8b", _GzipDecoder),
    ".xz": _Format(b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES)),
    ".bz2": _Format(b"BZh", bz2.BZ2Decompressor),
}


class _Members(io.RawIOBase):
    """The archives that a file holds one after the other, unpacked. Zeros behind one are padding, and nothing else is.

    Args:
        file: It, from its beginning; it is closed with this.
        form: Of all of them.
    """

    def __init__(self, file: BinaryIO, form: _Format) -> None:
        self._file = file
        self._form = form
        self._rest = file.read(_PACKED_BYTES_AT_ONCE)
        self._decoder = form.decoder() if self._rest else None

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while self._decoder is not None:
            if self._decoder.eof:
                self._rest = self._decoder.unused_data
                self._decoder = self._next()
            elif data := self._decoder.decompress(self._wanted(self._decoder), len(buffer)):
                buffer[: len(data)] = data
                return len(data)
        return 0

    def _wanted(self, decoder: _Decoder) -> bytes:
        if not decoder.needs_input:
            return b""
        packed = self._take()
        if not packed:
            raise EOFError("it ends in the middle of a stream")
        return packed

    def _take(self) -> bytes:
        taken, self._rest = self._rest or self._file.read(_PACKED_BYTES_AT_ONCE), b""
        return taken

    def _next(self) -> _Decoder | None:
        """What unpacks the next archive; None if there is none."""
        while packed := self._take():
            if begun := packed.lstrip(b"\0"):
                self._rest = begun + self._file.read(len(self._form.magic))
                if not self._rest.startswith(self._form.magic):
                    raise EOFError("bytes that are no archive follow its end")
                return self._form.decoder()
        return None
