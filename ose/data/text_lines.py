"""The lines of a text file, or its characters, each error with the place where it is."""

from __future__ import annotations

import codecs
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ose.data.records import one_line
from ose.data.unpacking import compression_of, iter_blocks, iter_lines
from ose.errors import BrokenFileError, CorpusError


def iter_text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line, with its end; decoded one by one, so that an error can name the line.

    Raises:
        CorpusError: The file is missing, corrupt, no UTF-8 or beyond a limit of the operator's.
    """
    number = 0
    try:
        with _foreign_errors(path):
            for number, raw in enumerate(iter_lines(path), start=1):
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}, line {number}: is no UTF-8 text (byte {error.start} of the line)") from error


def iter_text_blocks(path: Path) -> Iterator[str]:
    """Yield a text in blocks of some kilobytes, wherever its lines end.

    Raises:
        CorpusError: As `iter_text_lines`.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with _foreign_errors(path):
            for block in iter_blocks(path):
                yield decoder.decode(block)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path} is no UTF-8 text") from error


@contextmanager
def _foreign_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise CorpusError(f"{path}: no such file") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        state = "is a corrupt or truncated archive" if compression_of(path) else "cannot be read"
        raise BrokenFileError(f"{path} {state}: {one_line(error)}") from error
