"""Tests ose/data/parquet_columns.py, ose/data/records.py and ose/data/unpacking.py."""

from __future__ import annotations

import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from ose.data import parquet_columns, unpacking
from ose.data.documents import iter_documents
from ose.errors import CorpusError

TEXT = "Grüße aus Köln\n\n  a second document \r\n\t\nthe third, without a newline"
DOCUMENTS = ["Grüße aus Köln", "a second document", "the third, without a newline"]
JSONL = "\n".join(json.dumps({"id": i, "text": text}) for i, text in enumerate([*DOCUMENTS, " ", None])) + "\n\n"


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstd
}  # fmt: skip


def documents(path: Path, text_field: str = "text") -> list[str]:
    return list(iter_documents([str(path)], text_field))


def refusal(path: Path, text_field: str = "text") -> str:
    with pytest.raises(CorpusError) as caught:
        documents(path, text_field)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize(("suffix", "content"), [(".txt", TEXT), ("", TEXT), (".jsonl", JSONL), (".ndjson", JSONL)])
def test_text_and_jsonl_read_the_same_however_packed(tmp_path: Path, packing: str, suffix: str, content: str):
    path = write(tmp_path / f"corpus.v1{suffix}{packing}" if suffix else tmp_path / f"corpus{packing}",
                 PACKERS[packing](content.encode()))  # fmt: skip
    assert documents(path) == DOCUMENTS


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_archives_put_one_after_the_other_are_read_to_the_end(tmp_path: Path, packing: str):
    pack = PACKERS[packing]
    assert documents(write(tmp_path / f"two{packing}", pack(b"one\n") + pack(b"two\n"))) == ["one", "two"]


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_archives_cut_anywhere_are_refused(tmp_path: Path, packing: str):
    content = PACKERS[packing]("".join(f"document {i * 7919 % 1000}\n" for i in range(300)).encode())
    for length in range(5, len(content) - 1, len(content) // 20):
        path = write(tmp_path / f"cut{packing}", content[:length])
        assert f"{path} is a corrupt or truncated archive" in refusal(path)
    assert "is a corrupt" in refusal(write(tmp_path / f"none{packing}", b"no archive at all"))


@pytest.mark.parametrize("column_type", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_reads_one_column(tmp_path: Path, column_type: pa.DataType):
    texts = pa.array([*DOCUMENTS, "  ", None], pa.string()).cast(column_type)
    parquet.write_table(pa.table({"text": texts, "id": list(range(5))}), tmp_path / "corpus.parquet", row_group_size=2)
    assert documents(tmp_path / "corpus.parquet") == DOCUMENTS


def test_several_files_follow_one_another(tmp_path: Path):
    paths = [write(tmp_path / "one.txt", b"one"), write(tmp_path / "two.jsonl", b'{"text": "two"}')]
    assert list(iter_documents([str(path) for path in paths], "text")) == ["one", "two"]


def test_a_byte_order_mark_is_no_text(tmp_path: Path):
    assert documents(write(tmp_path / "a.txt", "one\ntwo".encode("utf-8-sig"))) == ["one", "two"]


def test_half_a_surrogate_pair_is_no_character(tmp_path: Path):
    path = tmp_path / "tweets.jsonl"
    path.write_text(r'{"text": "whole \ud83d\ude00, half \ud83d, and \u00e9"}')
    assert documents(path) == ["whole 😀, half ?, and é"]


def test_a_document_is_yielded_before_the_file_is_read_to_its_end(tmp_path: Path):
    path = write(tmp_path / "a.txt", b"good\n" * 10 + b"bad \xff\n")
    assert next(iter_documents([str(path)], "text")) == "good"
    assert refusal(path) == f"{path}, line 11: is no UTF-8 text (byte 4 of the line)"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "one\ntwo".encode("utf-16-le"), "line 1: holds a null byte, which no text has"),
        ("a.txt", "one\ntwo".encode("utf-16"), "line 1: is no UTF-8 text"),
        ("a.jsonl", b'{"text": "one"}\n{"text": \n', "line 2: is no valid JSON"),
        ("a.jsonl", b'["one"]\n', "line 1: must hold a JSON object, not an array"),
        ("a.jsonl", b'{"body": "one", "id": 1}\n', "line 1: has no column 'text', only 'body', 'id'; set corpus.col"),
        ("a.jsonl", b"{}\n", "line 1: has no column 'text', only none"),
        ("a.jsonl", b'{"text": 5}\n', "line 1: column 'text' must hold text, not a number"),
        ("a.parquet", b"PAR1 nonsense", "is a corrupt or truncated parquet file"),
        ("a.parquet", b"", "is a corrupt or truncated parquet file"),
    ],
)
def test_a_broken_file_is_one_line_with_its_place(tmp_path: Path, name: str, content: bytes, message: str):
    path = write(tmp_path / name, content)
    assert str(path) in refusal(path)
    assert message in refusal(path)


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"body": ["one"], "number": [1]}), path)
    assert "has no column 'text', only 'body', 'number'; set corpus.columns, or --text, --label ..." in refusal(path)
    assert "column 'number' must hold text, not INT64" in refusal(path, "number")
    assert documents(path, "body") == ["one"]


@pytest.mark.parametrize("name", ["none.txt", "none.parquet", "none.zst", "none.gz", "none.jsonl.xz"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str):
    assert refusal(tmp_path / name) == f"{tmp_path / name}: no such file"


def test_a_pipe_is_no_text_and_a_link_out_of_the_root_neither(tmp_path: Path):
    (tmp_path / "root").mkdir()
    os.mkfifo(tmp_path / "root" / "pipe.txt")
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "root" / "link.txt").symlink_to(tmp_path / "outside.txt")
    assert "it is no file but a pipe" in refusal(tmp_path / "root" / "pipe.txt")
    assert documents(tmp_path / "root" / "link.txt") == ["secret"]
    with pytest.raises(CorpusError, match="leads out"):
        list(iter_documents([str(tmp_path / "root" / "link.txt")], "text", tmp_path / "root"))


def test_a_folder_with_a_datasets_name_is_not_read_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "data").mkdir(parents=True)
    (tmp_path / "owner" / "data" / "train.jsonl").write_text('{"text": "secret"}')
    with pytest.raises(CorpusError, match="the working directory has a folder owner/data"):
        list(iter_documents(["hf:owner/data"], "text"))


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_a_line_above_the_limit_is_refused_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, packing: str
):
    monkeypatch.setenv("OSE_MAX_LINE_BYTES", "2000")
    line = json.dumps({"text": "x" * 1980}) if suffix == ".jsonl" else "x" * 1990
    assert len(documents(write(tmp_path / f"a{suffix}{packing}", PACKERS[packing](f"{line}\n".encode())))) == 1
    longer = f"{line}\n{line[:-3]}{'x' * 100}{line[-3:]}\n".encode()
    message = refusal(write(tmp_path / f"b{suffix}{packing}", PACKERS[packing](longer)))
    assert "line 2: is longer than 2,000 bytes (OSE_MAX_LINE_BYTES)" in message


@pytest.mark.parametrize("packing", [".gz", ".xz", ".zst"])
def test_an_archive_that_grows_without_end_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packing: str):
    monkeypatch.setattr(unpacking, "_FREE_BYTES", 1000)
    monkeypatch.setenv("OSE_MAX_EXPANSION", "5")
    assert "grows to more than 5 times its size (OSE_MAX_EXPANSION)" in refusal(
        write(tmp_path / f"a.txt{packing}", PACKERS[packing](b"again and again\n" * 10_000))
    )


def test_a_decoder_that_asks_for_much_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt.xz"
    path.write_bytes(lzma.compress(b"a\n" * 100, filters=[{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 25}]))
    assert documents(path) == ["a"] * 100
    monkeypatch.setattr(unpacking, "_XZ_MEMORY_BYTES", 1 << 20)
    assert "corrupt or truncated archive: Memory usage limit exceeded" in refusal(path)


@pytest.mark.parametrize("content", [b"\n" * 50, b'{"text": " "}\n' * 50, b'{"text": null}\n' * 50])
def test_runs_without_text_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes):
    monkeypatch.setenv("OSE_MAX_BLANK_LINES", "20")
    assert "more than 20 lines or records without text follow one another" in refusal(
        write(tmp_path / "a.jsonl", content)
    )


def test_a_value_for_all_rows_comes_in_small_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    indices = pa.array([0] * 100, pa.int32())
    table = pa.table({"text": pa.DictionaryArray.from_arrays(indices, pa.array(["word" * 1000]))})
    parquet.write_table(table, tmp_path / "a.parquet", store_schema=False)
    monkeypatch.setattr(parquet_columns, "_BYTES_PER_BATCH", 10_000)
    assert documents(tmp_path / "a.parquet") == ["word" * 1000] * 100
    monkeypatch.setenv("OSE_MAX_PAGE_BYTES", "3000")
    assert "has a page of more than 3,000 bytes (OSE_MAX_PAGE_BYTES)" in refusal(tmp_path / "a.parquet")
    monkeypatch.setenv("OSE_MAX_HEADER_BYTES", "1000")
    parquet.write_table(pa.table({f"column-{i}": ["a"] for i in range(50)}), tmp_path / "b.parquet")
    assert "has a footer of more than 1,000 bytes (OSE_MAX_HEADER_BYTES)" in refusal(tmp_path / "b.parquet")


TABLE = 'text,label\n"a cell, of\ntwo lines",1\n,1\nsecond,2\n'


def test_documents_of_a_table_are_the_cells_of_its_column(tmp_path: Path):
    path = write(tmp_path / "a.csv", TABLE.encode())
    assert documents(path) == ["a cell, of\ntwo lines", "second"] and documents(path, "label") == ["1", "1", "2"]
    assert "has no column 'texts'; nearest: 'text'" in refusal(path, "texts")
    assert "line 2: has 1 cells, but the header has 2" in refusal(write(tmp_path / "b.csv", b"text,label\na\n"))


def test_a_job_of_before_reads_the_lines_of_a_table(tmp_path: Path):
    path = write(tmp_path / "a.csv.gz", gzip.compress(TABLE.encode()))
    assert list(iter_documents([str(path)], "text", tables=False)) == TABLE.strip().split("\n")
    with pytest.raises(CorpusError, match="no such file"):
        list(iter_documents([str(tmp_path / "none.csv")], "text", tables=False))


def test_documents_of_an_array_are_the_texts_of_its_objects(tmp_path: Path):
    assert documents(write(tmp_path / "a.json", b'[\n  {"text": "one"},\n  {"text": null}\n]')) == ["one"]
