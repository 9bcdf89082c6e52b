"""Text files that are not what they seem: each fault as people met it, and in a variant of its kind."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import pyarrow as pa


@dataclass(frozen=True)
class OddText:
    """A file, and what is said of it.

    Attributes:
        kind: Of fault.
        variant: Of it.
        name: Of the file.
        made: Its content, of some documents.
        told: A part of the refusal; None if the text is what it seems, and its documents are read.
    """

    kind: str
    variant: str
    name: str
    made: Callable[[Sequence[str]], str | bytes]
    told: str | None

    def content(self, documents: Sequence[str]) -> bytes:
        """Of the file."""
        made = self.made(documents)
        return made.encode() if isinstance(made, str) else made


def lines(documents: Sequence[str]) -> str:
    return "".join(f"{document}\n" for document in documents)


def table(separator: str, *, has_header: bool = True, quoting: int = csv.QUOTE_MINIMAL) -> Callable[..., str]:
    def made(documents: Sequence[str]) -> str:
        stream = io.StringIO()
        writer = csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator="\n")
        writer.writerows([("text", "stars")] if has_header else [])
        writer.writerows((document, place % 5) for place, document in enumerate(documents))
        return stream.getvalue()

    return made


def json_lines(documents: Sequence[str]) -> str:
    return "\n".join(json.dumps({"text": document}) for document in documents)


def json_array(documents: Sequence[str]) -> str:
    return json.dumps([{"text": document} for document in documents], indent=1)


def tagged(name: str) -> Callable[..., str]:
    return lambda documents: "\n".join(f"<{name}>{document}</{name}>" for document in documents)


def wrapped(head: str, tail: str, name: str = "p") -> Callable[..., str]:
    return lambda documents: f"{head}\n{tagged(name)(documents)}\n{tail}"


def prose_with_commas(documents: Sequence[str]) -> str:
    return "\n".join(f"Dear Sir, as ever, {document}" for document in documents)


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstd, ".bz2": bz2.compress
}  # fmt: skip


def packed(suffix: str, form: Callable[[Sequence[str]], str] = lines) -> Callable[..., bytes]:
    return lambda documents: PACKERS[suffix](form(documents).encode())


def followed(suffix: str, *, by: bytes, again: bool = False) -> Callable[..., bytes]:
    """An archive with bytes behind it, and the same archive behind those."""

    def made(documents: Sequence[str]) -> bytes:
        archive = packed(suffix)(documents)
        return archive + by + (archive if again else b"")

    return made


RANDOM_BYTES = Random(0).randbytes(100)
_MEANT = "if its lines are meant, set corpus.as_is: true (--corpus-as-is)"


def _forms() -> Iterator[OddText]:
    yield OddText("form", "CSV", "a.txt", table(","), f"a table with commas; name it .csv; {_MEANT}")
    yield OddText("form", "CSV without a header", "a.txt", table(",", has_header=False), "a table with commas")
    yield OddText("form", "CSV, all quoted", "a.log", table(",", quoting=csv.QUOTE_ALL), "a table with commas")
    yield OddText("form", "TSV", "a.txt", table("\t"), "a table with tabs; name it .tsv")
    yield OddText("form", "semicolons", "a.txt", table(";"), "a table with semicolons; write it with commas")
    page = wrapped("<!DOCTYPE html>\n<html><body>", "</body></html>")
    yield OddText("form", "HTML", "a.txt", page, "holds HTML; extract its text")
    yield OddText("form", "HTML without a head", "a.txt.gz", lambda d: gzip.compress(tagged("p")(d).encode()), "HTML")
    yield OddText("form", "a page for an error", "a.csv", wrapped("<html><h1>404</h1>", "</html>"), "holds HTML")
    yield OddText("form", "XML", "a.txt", wrapped('<?xml version="1.0"?><all>', "</all>", "t"), "holds XML")
    yield OddText("form", "XML without a prolog", "a.txt", wrapped("<dump>", "</dump>", "page"), "HTML or XML")
    yield OddText("form", "a JSON array", "a.txt", json_array, "a JSON array; name it .json")
    yield OddText("form", "an array of strings", "a.txt", lambda d: json.dumps(list(d)), "a JSON array")
    yield OddText("form", "JSON lines", "a.txt", json_lines, "JSON objects; name it .jsonl")
    yield OddText("form", "prose with commas", "a.txt", prose_with_commas, None)
    yield OddText("form", "notes in brackets", "a.txt", lambda d: "\n".join(f"[1] {x}" for x in d), None)
    yield OddText("form", "a zip archive", "a.txt", lambda _: b"PK\x03\x04" + RANDOM_BYTES, "a ZIP archive")
    yield OddText("form", "PDF", "a.txt", lambda _: b"%PDF-1.7\n" + RANDOM_BYTES, "holds PDF; extract its text")
    yield OddText("form", "UTF-16", "a.txt", lambda d: lines(d).encode("utf-16"), "UTF-16; convert it")


def _names() -> Iterator[OddText]:
    yield OddText("name", "DATA.JSONL", "DATA.JSONL", json_lines, None)
    yield OddText("name", ".GZ", "a.txt.GZ", packed(".gz"), None)
    yield OddText("name", ".Csv.Xz", "a.Csv.Xz", packed(".xz", table(",")), None)
    yield OddText("name", "gzip called .txt", "a.txt", packed(".gz"), "a gzip archive; name it .gz")


def _characters() -> Iterator[OddText]:
    null = "holds a null byte, which no text has"
    in_column = f"line 2: column 'text' {null}"
    yield OddText("null byte", "raw text", "a.txt", lambda d: f"{d[0]}\n{d[1]}\0\n", f"a.txt, line 2: {null}")
    yield OddText("null byte", "JSON", "a.jsonl", lambda d: json_lines([d[0], f"{d[1]}\0"]), in_column)
    yield OddText("null byte", "CSV", "a.csv", lambda d: table(",")([f"x{d[0]}\0"]), in_column)
    returns = "ends its lines with carriage returns alone"
    yield OddText("carriage returns", "text", "a.txt", "\r".join, returns)
    yield OddText("carriage returns", "a table", "a.csv", lambda d: table(",")(d).replace("\n", "\r"), returns)
    yield OddText("carriage returns", "before line feeds", "a.txt", "\r\n".join, None)
    yield OddText("carriage returns", "one in a line", "a.txt", lambda d: "\n".join(f"{x}\r!" for x in d), None)


def _archives() -> Iterator[OddText]:
    behind = "bytes that are no archive follow its end, after {count} documents"
    for suffix in PACKERS:
        name = f"a.txt{suffix}"
        random, letters = followed(suffix, by=RANDOM_BYTES), followed(suffix, by=b"abc", again=True)
        yield OddText("bytes behind an archive", f"{suffix}: 100 random ones", name, random, behind)
        yield OddText("bytes behind an archive", f"{suffix}: zeros", name, followed(suffix, by=bytes(12)), None)
        yield OddText("bytes between archives", f"{suffix}: letters", name, letters, behind)


ODD_TEXTS = (*_forms(), *_names(), *_characters(), *_archives())
