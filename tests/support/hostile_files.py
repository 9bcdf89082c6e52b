"""Small files that ask for much memory. Each maker takes a folder and fills one file, or spoils one of a teacher's."""

from __future__ import annotations

import gzip
import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

MEGABYTE = 1_000_000
Maker = Callable[[Path], None]


def text_line(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(b"word " * 4 * MEGABYTE)


def json_line(folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b'{"text": "' + b"word " * 4 * MEGABYTE + b'"}\n')


def utf16_line(folder: Path) -> None:
    (folder / "bad.txt").write_bytes(("Wörter " * 2 * MEGABYTE).encode("utf-16"))


def nested_json(folder: Path) -> None:
    (folder / "bad.jsonl").write_bytes(b'{"text": ' + b"[" * 5 * MEGABYTE)


def csv_open_quote(folder: Path) -> None:
    """A cell that does not end, of short lines."""
    (folder / "bad.csv").write_bytes(b'text,label\n"' + b"word\n" * 4 * MEGABYTE)


def csv_cell(folder: Path) -> None:
    (folder / "bad.csv").write_bytes(b'text,label\n"' + b"word " * 4 * MEGABYTE + b'",1\n')


def csv_commas(folder: Path) -> None:
    (folder / "bad.csv").write_bytes(b"text," + b"ab," * 3 * MEGABYTE + b"\n")


def tsv_tabs(folder: Path) -> None:
    (folder / "bad.tsv").write_bytes(b"text" + b"\t" * 9 * MEGABYTE + b'"\n')


def tsv_lines(folder: Path) -> None:
    """The beginning that is read in two ways, of as many rows as there can be, and then nothing."""
    (folder / "bad.tsv").write_bytes(b'text\n"\n' + b"\n" * 4 * MEGABYTE)


def csv_nulls(folder: Path) -> None:
    (folder / "bad.csv").write_bytes(b"text,label\n" + b"\0" * 9 * MEGABYTE + b",1\n")


def packed_csv(folder: Path) -> None:
    """Four gigabytes of a quoted cell in four megabytes."""
    with gzip.open(folder / "bad.csv.gz", "wb") as file:
        file.write(b'text,label\n"')
        for _ in range(400):
            file.write(b"a word\n" * 100_000)


def json_zeros(folder: Path) -> None:
    (folder / "bad.json").write_bytes(b"[" + b"0," * 100 * MEGABYTE + b"0]")


def json_brackets(folder: Path) -> None:
    (folder / "bad.json").write_bytes(b"[" * 20 * MEGABYTE)


def json_object(folder: Path) -> None:
    """One object of the array is longer than a line may be."""
    (folder / "bad.json").write_bytes(b'[{"text": "' + b"word " * 8 * MEGABYTE + b'"}]')


def json_nested(folder: Path) -> None:
    (folder / "bad.json").write_bytes(b'[{"text": ' + b"[" * 9 * MEGABYTE)


def packed_json(folder: Path) -> None:
    """Blanks without end in an array."""
    with gzip.open(folder / "bad.json.gz", "wb") as file:
        file.write(b'[{"text": ""},')
        for _ in range(1_000):
            file.write(b" " * MEGABYTE)


def packed_line(suffix: str) -> Maker:
    """One line of 300 MB in a few hundred kB."""

    def make(folder: Path) -> None:
        path = folder / f"bad.txt{suffix}"
        if suffix == ".zst":
            path.write_bytes(b"".join(_zstd(b"a" * 10 * MEGABYTE) for _ in range(30)))
            return
        with (gzip.open if suffix == ".gz" else lzma.open)(path, "wb") as file:
            for _ in range(300):
                file.write(b"a" * MEGABYTE)

    return make


def packed_blanks(folder: Path) -> None:
    with gzip.open(folder / "bad.jsonl.gz", "wb") as file:
        for _ in range(200):
            file.write(b'{"text": ""}\n' * 80_000)


def parquet_dictionary(folder: Path) -> None:
    """A value of a megabyte that 100,000 rows have: 477 bytes."""
    indices = pa.array([0] * 100_000, pa.int32())
    column = pa.DictionaryArray.from_arrays(indices, pa.array(["word " * 200_000]))
    parquet.write_table(pa.table({"text": column}), folder / "bad.parquet", compression="zstd", store_schema=False)


def parquet_page(folder: Path) -> None:
    parquet.write_table(pa.table({"text": ["a" * 150 * MEGABYTE]}), folder / "bad.parquet", compression="brotli")


def parquet_lie(folder: Path) -> None:
    """The same, in a file whose footer says that the column unpacks to nothing."""
    parquet_page(folder)
    path = folder / "bad.parquet"
    told = parquet.read_metadata(path).row_group(0).column(0).total_uncompressed_size
    before, content = _varint(2 * told), path.read_bytes()
    place = content.rindex(before)
    zero = b"\x80" * (len(before) - 1) + b"\0"
    path.write_bytes(content[:place] + zero + content[place + len(before) :])


def parquet_lists(folder: Path) -> None:
    lists = pa.ListArray.from_arrays(pa.array([0, 5 * MEGABYTE]), pa.array(["a"] * 5 * MEGABYTE))
    parquet.write_table(pa.table({"text": lists}), folder / "bad.parquet", compression="zstd")


def parquet_labels(folder: Path) -> None:
    """One row with 30 million labels, in some kilobytes."""
    labels = pa.ListArray.from_arrays(pa.array([0, 30 * MEGABYTE]), pa.array(bytes(30 * MEGABYTE), pa.uint8()))
    parquet.write_table(pa.table({"text": ["a"], "label": labels}), folder / "bad.parquet", compression="zstd")


def parquet_nulls(folder: Path) -> None:
    parquet.write_table(pa.table({"text": pa.nulls(20 * MEGABYTE, pa.string())}), folder / "bad.parquet")


def long_header(folder: Path) -> None:
    """A header of 58 MB, as true as headers are."""
    _write_header(folder / "bad" / "model.safetensors")


def long_shard_header(folder: Path) -> None:
    bad = folder / "bad"
    (bad / "model.safetensors").unlink()
    _write_header(bad / "model-1.safetensors")
    (bad / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-1.safetensors"}}')


def long_index(folder: Path) -> None:
    bad = folder / "bad"
    (bad / "model.safetensors").unlink()
    (bad / "model.safetensors.index.json").write_bytes(b'{"weight_map": [' + b"[]," * 20 * MEGABYTE + b"0]}")


def many_values(name: str) -> Maker:
    """Empty lists, each of which is 20 times as large in memory."""

    def make(folder: Path) -> None:
        (folder / "bad" / name).write_bytes(b'{"model": [' + b"[]," * 15 * MEGABYTE + b"0]}")

    return make


def many_labels(folder: Path) -> None:
    _edit(folder / "bad" / "config.json", num_labels=10**8)


def renamed_labels(folder: Path) -> None:
    _edit(folder / "bad" / "config.json", attribute_map={"few": "num_labels"}, few=10**8)


def many_layers(count: int) -> Maker:
    def make(folder: Path) -> None:
        _edit(folder / "bad" / "config.json", model_type="other", num_hidden_layers=count)

    return make


def many_parts(folder: Path) -> None:
    _edit(folder / "bad" / "config.json", inner_group_num=10**6)


def teacher_copy(teacher: Path, folder: Path) -> None:
    shutil.copytree(teacher, folder / "bad")


def merge_keys() -> str:
    """Twelve lines that unfold to billions of pairs."""
    lines = ["a0: &a0 {x: 1, y: 2}"]
    for number in range(1, 12):
        again = ", ".join([f"*a{number - 1}"] * 9)
        lines.append(f"a{number}: &a{number}\n  <<: [{again}]\n  k{number}: 1")
    return "\n".join(lines)


def aliases() -> str:
    lines = ["num_hidden_layers: &a0 [1, 2]"]
    lines += [f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]" for number in range(1, 12)]
    return "\n".join(lines)


def _write_header(path: Path) -> None:
    entries = b",".join(b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % i for i in range(MEGABYTE))
    header = b"{" + entries + b"}"
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def _edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _varint(number: int) -> bytes:
    digits = []
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return packed
