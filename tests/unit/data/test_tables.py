"""Tests ose/data/sources.py, ose/data/records.py and ose/data/text_lines.py."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from ose.core.spec import Columns
from ose.data import parquet_columns, sources
from ose.data.hub_dataset import DatasetId
from ose.data.tables import Row, RowCount, iter_rows
from ose.errors import CorpusError

PAIRS = Columns(text="question", text_pair="answer", label="score", query_id="query")
ROWS = [
    {"question": "Wo, bitte?", "answer": 'in "Köln"', "score": 0.5, "query": "q1", "more": [1]},
    {"question": "Wo, bitte?", "answer": "in Bonn", "score": 2.0, "query": "q1", "more": [2]},
    {"question": "Wer?", "answer": "Ada", "score": 1.0, "query": "q2", "more": []},
]
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


def delimited(separator: str) -> bytes:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(ROWS[0]), delimiter=separator)
    writer.writeheader()
    writer.writerows(ROWS)
    return stream.getvalue().encode()


def lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS).encode()


FORMS: dict[str, Callable[[], bytes]] = {
    ".csv": lambda: delimited(","),
    ".jsonl": lines,
    ".ndjson": lines,
    ".json": lambda: json.dumps(ROWS).encode(),
}


def as_rows(rows: list[Row]) -> list[dict[str, Any]]:
    return [{"question": r.text, "answer": r.text_pair, "score": float(r.label), "query": r.query_id} for r in rows]


EXPECTED = [{name: value for name, value in row.items() if name != "more"} for row in ROWS]


@pytest.mark.parametrize("packing", PACKERS)
@pytest.mark.parametrize("suffix", FORMS)
def test_every_form_gives_the_same_rows_however_packed(tmp_path: Path, suffix: str, packing: str):
    path = tmp_path / f"a{suffix}{packing}"
    path.write_bytes(PACKERS[packing](FORMS[suffix]()))
    rows = list(iter_rows([str(path)], PAIRS))
    assert as_rows(rows) == EXPECTED
    unit, first = ("row", 1) if suffix == ".json" else ("line", 2 if suffix == ".csv" else 1)
    assert [row.place for row in rows] == [f"{path}, {unit} {first + number}" for number in range(3)]


def test_a_tsv_gives_the_same_rows_once_its_quotes_are_known(tmp_path: Path):
    path = tmp_path / "a.tsv"
    path.write_bytes(delimited("\t"))
    assert as_rows(list(iter_rows([str(path)], PAIRS, quotes="csv"))) == EXPECTED


def test_parquet_gives_the_same_rows(tmp_path: Path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=2)
    rows = list(iter_rows([str(path)], PAIRS))
    assert as_rows(rows) == EXPECTED and [row.place for row in rows] == [f"{path}, row {n}" for n in (1, 2, 3)]


@pytest.mark.processes
def test_a_dataset_gives_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "train.jsonl").write_bytes(lines())
    """One in a folder, which the library reads as it reads one of the hub."""
    monkeypatch.setattr(sources, "parse_dataset_id", lambda name: DatasetId(name=name))
    monkeypatch.setattr(sources, "_require_no_folder", lambda dataset: None)
    rows = list(iter_rows([str(tmp_path)], PAIRS))
    assert as_rows(rows) == EXPECTED and rows[2].place == f"dataset hf:{tmp_path}:train, row 3"
    with pytest.raises(CorpusError, match=r"has no column 'scores'; nearest: 'score'"):
        list(iter_rows([str(tmp_path)], Columns(text="question", label="scores")))


def test_of_a_text_file_each_line_is_a_text(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("one\n\n two \n")
    assert [(row.place[len(str(path)) :], row.text) for row in iter_rows([str(path)], Columns())] == [
        (", line 1", "one"), (", line 3", "two")
    ]  # fmt: skip
    with pytest.raises(CorpusError, match="has no column 'label': of a text file each line is a text"):
        list(iter_rows([str(path)], Columns(label="label")))


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ("good", "good"), (" good ", "good"), (1, 1), (True, True), (0.25, 0.25), (-1, -1), ("[0, 2]", [0, 2]),
        ('["a", "b "]', ["a", "b"]), ([], []), ("[]", []), ([1.0, 0.0], [1.0, 0.0]), ("[sic]", "[sic]"),
    ],
)  # fmt: skip
def test_labels_are_what_the_file_has(tmp_path: Path, given: object, label: object):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a", "label": given}))
    row = next(iter_rows([str(path)], Columns(label="label")))
    assert row.label == label and type(row.label) is type(label)


@pytest.mark.parametrize("kind", [pa.list_(pa.int64()), pa.large_list(pa.int8()), pa.list_(pa.float32())])
def test_parquet_has_lists_of_numbers(tmp_path: Path, kind: pa.DataType, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.parquet"
    table = pa.table({"text": ["a"] * 50, "label": pa.array([[0, 3], []] * 25, kind)})
    parquet.write_table(table, path)
    rows = list(iter_rows([str(path)], Columns(label="label")))
    assert [row.label for row in rows] == [[0, 3], []] * 25
    monkeypatch.setattr(parquet_columns, "_MOST_LISTED", 40)
    with pytest.raises(CorpusError, match="column 'label' has more than 40 values in a row group"):
        list(iter_rows([str(path)], Columns(label="label")))


@pytest.mark.parametrize("kind", [pa.list_(pa.string()), pa.struct({"a": pa.int8()}), pa.list_(pa.list_(pa.int8()))])
def test_parquet_has_nothing_that_unfolds(tmp_path: Path, kind: pa.DataType):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a"], "label": pa.nulls(1, kind)}), path)
    with pytest.raises(CorpusError, match="column 'label' must hold text, numbers or lists of numbers, not "):
        list(iter_rows([str(path)], Columns(label="label")))


BAD = [
    ('{"text": "", "label": 1}', "column 'text' is empty"),
    ('{"text": null, "label": 1}', "column 'text' is empty"),
    ('{"text": " ", "label": 1}', "column 'text' is empty"),
    ('{"text": 7, "label": 1}', "column 'text' must hold text, not a number"),
    ('{"txet": "a", "label": 1}', "has no column 'text'; nearest: 'txet'"),
    ('{"text": "a\\u0000b", "label": 1}', "column 'text' holds a null byte, which no text has"),
    ('{"text": "a"}', "has no column 'label'"),
    ('{"text": "a", "label": null}', "column 'label' is empty"),
    ('{"text": "a", "label": " "}', "column 'label' has an empty label"),
    ('{"text": "a", "label": NaN}', "column 'label' holds NaN"),
    ('{"text": "a", "label": "nan"}', "column 'label' holds NaN"),
    ('{"text": "a", "label": [1, NaN]}', "column 'label' holds NaN"),
    ('{"text": "a", "label": Infinity}', "column 'label' holds a number that is too large"),
    ('{"text": "a", "label": 1e400}', "column 'label' holds a number that is too large"),
    ('{"text": "a", "label": 100000000000000000000}', "column 'label' holds a number that is too large"),
    ('{"text": "a", "label": {"a": 1}}', "column 'label' must hold labels, which are text or numbers, not an object"),
    ('{"text": "a", "label": [[1]]}', "column 'label' must hold labels, which are text or numbers, not an array"),
    ('{"text": "a", "label": "\\ud800"}', "column 'label' has a label with a null or half a character"),
    ('{"text": "a", ', "is no valid JSON"),
    ('["a"]', "must hold a JSON object, not an array"),
]


@pytest.mark.parametrize(("line", "problem"), BAD)
def test_a_bad_row_is_refused_by_its_line_or_left_out_and_counted(tmp_path: Path, line: str, problem: str):
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "good", "label": 1}\n\n' + line + "\n" + '{"text": "good", "label": 0}\n' * 2)
    columns = Columns(label="label")
    with pytest.raises(CorpusError) as caught:
        list(iter_rows([str(path)], columns))
    assert str(caught.value).startswith(f"{path}, line 3: {problem}") and "\n" not in str(caught.value)
    count = RowCount(allowed_share=0.25)
    assert [row.label for row in iter_rows([str(path)], columns, count=count)] == [1, 0, 0]
    assert (count.num_rows, count.num_bad, count.bad_share) == (4, 1, 0.25)
    with pytest.raises(CorpusError, match=r"line 3: .*1 of 4 rows cannot be used, more than the share of 0.2 that"):
        list(iter_rows([str(path)], columns, count=RowCount(allowed_share=0.2)))


@pytest.mark.parametrize(("values", "problem"), [
    ({"answer": ""}, "column 'answer' is empty"),
    ({"query": ""}, "column 'query' is empty"),
    ({"query": None}, "column 'query' is empty"),
    ({"query": 1.5}, "column 'query' must hold ids, which are text or whole numbers, not a number"),
    ({"query": True}, "column 'query' must hold ids, which are text or whole numbers, not true or false"),
])  # fmt: skip
def test_a_pair_and_a_query_have_both_parts(tmp_path: Path, values: dict[str, object], problem: str):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(ROWS[0] | values))
    with pytest.raises(CorpusError, match=problem):
        list(iter_rows([str(path)], PAIRS))


def test_rows_with_too_few_or_too_many_cells_are_bad(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\nb\nc,1,2\n,1\nd,\ne,1\n")
    count = RowCount(allowed_share=0.5 + 1 / 6)
    assert [row.text for row in iter_rows([str(path)], Columns(label="label"), count=count)] == ["a", "e"]
    assert count.num_bad == 4 and count.first_problem == f"{path}, line 3: has 1 cells, but the header has 2"


def test_nan_in_parquet_is_no_score(tmp_path: Path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a", "b"], "label": [1.0, math.nan]}), path)
    with pytest.raises(CorpusError, match="row 2: column 'label' holds NaN"):
        list(iter_rows([str(path)], Columns(label="label")))


def test_half_a_character_in_a_text_becomes_a_question_mark(tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "whole \ud83d\ude00, half \ud83d"}')
    assert next(iter_rows([str(path)], Columns())).text == "whole 😀, half ?"


def test_a_row_is_yielded_before_the_file_is_read_to_its_end(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"text\ngood\n" + b"\xff\n")
    rows = iter_rows([str(path)], Columns())
    assert next(rows).text == "good"
    with pytest.raises(CorpusError, match="line 3: is no UTF-8 text"):
        next(rows)


@pytest.mark.parametrize("line", ["", '{"text": ""}'])
def test_runs_of_blank_or_bad_rows_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str):
    monkeypatch.setenv("OSE_MAX_BLANK_LINES", "20")
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a"}\n' + f"{line}\n" * 21)
    with pytest.raises(CorpusError, match="more than 20 rows that are blank or cannot be used follow one another"):
        list(iter_rows([str(path)], Columns(), count=RowCount(allowed_share=0.5)))


def test_a_link_out_of_the_root_is_refused(tmp_path: Path):
    (tmp_path / "root").mkdir()
    (tmp_path / "a.csv").write_text("text\nsecret\n")
    (tmp_path / "root" / "a.csv").symlink_to(tmp_path / "a.csv")
    with pytest.raises(CorpusError, match="leads out"):
        list(iter_rows([str(tmp_path / "root" / "a.csv")], Columns(), tmp_path / "root"))
