from __future__ import annotations

import csv
import io
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.data import delimited
from ose.data.delimited import iter_delimited
from ose.data.forms import SEPARATORS
from ose.data.records import BLANK
from ose.errors import CorpusError

HARD = ['a "quoted" word', '"all of it"', "two\nlines", "a\ttab, a comma", '"', '""', " spaces ", "plain", "ü\r\nb"]
BEGINNINGS = st.sampled_from([250, 450, 1_000_000])
GLUE = 'text\tlabel\n"I am," he said .\t1\nplain\t0\n"All of it."\t1\nhalf of "it\t0\n'


def read(path: Path, quotes: str = "auto", columns: tuple[str, ...] = ("text", "label")) -> list[dict[str, str]]:
    records = list(iter_delimited(path, SEPARATORS[path.suffix], columns, quotes))
    assert [record.problem for record in records] == [""] * len(records)
    return [dict(record.values) for record in records]


def refusal(path: Path, quotes: str = "auto", columns: tuple[str, ...] = ("text", "label")) -> str:
    with pytest.raises(CorpusError) as caught:
        list(iter_delimited(path, SEPARATORS[path.suffix], columns, quotes))
    assert len(str(caught.value).splitlines()) == 1 and str(path) in str(caught.value)
    return str(caught.value).removeprefix(str(path))


def written(path: Path, rows: list[tuple[str, ...]], quoting: int = csv.QUOTE_MINIMAL) -> Path:
    stream = io.StringIO()
    csv.writer(stream, delimiter=SEPARATORS[path.suffix], quoting=quoting).writerows([("text", "label"), *rows])
    path.write_bytes(stream.getvalue().encode())
    return path


@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_what_a_csv_writer_wrote_is_read_back(tmp_path: Path, name: str, quoting: int):
    path = written(tmp_path / name, [(text, str(number)) for number, text in enumerate(HARD)], quoting)
    assert read(path) == [{"text": text, "label": str(number)} for number, text in enumerate(HARD)]


def test_quotes_of_a_tsv_are_text_where_no_csv_writer_left_them(tmp_path: Path):
    path = tmp_path / "train.tsv"
    path.write_text(GLUE)
    texts = ['"I am," he said .', "plain", '"All of it."', 'half of "it']
    assert [row["text"] for row in read(path)] == texts == [row["text"] for row in read(path, "literal")]
    assert "line 2: something stands behind a cell's closing quote" in refusal(path, "csv")


def rows_of(alphabet: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    cell = st.text(alphabet, min_size=1, max_size=6)
    return st.lists(st.tuples(cell, cell), min_size=1, max_size=5)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(rows=rows_of('"a \t\n'), quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]), beginning=BEGINNINGS)
def test_what_a_csv_writer_wrote_as_tsv_is_read_right_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], quoting: int, beginning: int
):
    path = written(tmp_path_factory.getbasetemp() / "quoted.tsv", rows, quoting)
    require_right_or_refused(path, rows, beginning)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(rows=rows_of('"a '), beginning=BEGINNINGS)
def test_literal_quotes_are_read_right_or_refused(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], beginning: int
):
    path = tmp_path_factory.getbasetemp() / "literal.tsv"
    path.write_text("".join("\t".join(cells) + "\n" for cells in [("text", "label"), *rows]))
    require_right_or_refused(path, rows, beginning)


def require_right_or_refused(path: Path, rows: list[tuple[str, str]], beginning: int) -> None:
    with pytest.MonkeyPatch.context() as patch, suppress(CorpusError):
        patch.setattr(delimited, "_BEGINNING", beginning)
        records = list(iter_delimited(path, "\t", ["text", "label"]))
        if not any(record.problem for record in records):
            assert [(record.values["text"], record.values["label"]) for record in records] == rows


@pytest.mark.parametrize("text", ['"All of it."', '"a ""b"" c"', '""'])
def test_a_tsv_that_may_be_read_in_two_ways_is_refused_until_the_job_says_which(tmp_path: Path, text: str):
    path = tmp_path / "a.tsv"
    path.write_text(f"text\tlabel\n{text}\t1\nplain\t0\n")
    assert "set corpus.quotes to literal or to csv" in refusal(path)
    assert read(path, "literal")[0]["text"] == text
    assert read(path, "csv")[0]["text"] == next(csv.reader([text]))[0]


def test_a_quote_behind_the_beginning_is_refused_where_none_before_told_what_it_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(delimited, "_BEGINNING", 1_000)
    path = tmp_path / "a.tsv"
    path.write_text("text\tlabel\n" + 'it is "so"\t1\n' * 20 + '"so"\t1\n')
    assert ", line 22: its quotes may" in refusal(path)
    path.write_text("text\tlabel\n" + '"so" it is\t1\n' * 20 + '"so"\t1\n')
    assert read(path)[-1]["text"] == '"so"'
    path.write_text("text\tlabel\n" + '"so\nit is"\t1\n' * 20 + '"so"\t1\n')
    assert read(path)[-1]["text"] == "so" and read(path)[0]["text"] == "so\nit is"


def test_a_misspelt_column_is_told_before_quotes_are(tmp_path: Path):
    path = tmp_path / "a.tsv"
    path.write_text('txet\tlabel\n"All of it."\t1\n')
    assert refusal(path) == " has no column 'text'; nearest: 'txet'"


def test_rows_have_the_place_of_their_first_line_and_blank_ones_are_told(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text('\ufefftext,label\n"a\nb",1\n\n"c",2\nd\ne,3,4\n')
    records = list(iter_delimited(path, ",", ["label"]))
    places = [record.place.removeprefix(str(path)) for record in records]
    assert places == [f", line {number}" for number in (2, 4, 5, 6, 7)]
    problems = [record.problem for record in records]
    assert problems == ["", BLANK, "", "has 1 cells, but the header has 2", "has 3 cells, but the header has 2"]
    assert [record.values for record in records] == [{"label": "1"}, {}, {"label": "2"}, {}, {}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("txet,label\na,1\n", " has no column 'text'; nearest: 'txet'"),
        (
            "a,b\na,1\n",
            " has no column 'text', only 'a', 'b'; set corpus.columns, or --text, --label ...",
        ),
        (
            "text;label\na;1\n",
            " has no column 'text', only 'text;label'; set corpus.columns, or --text, --label ...",
        ),
        ("text,text,label\na,b,1\n", " has 2 columns 'text'"),
        ('text,label\na,1\n"b,2\nc,3\n', ", line 3: a quote is not closed"),
        ('text,label\n"b"c,2\n', ", line 2: something stands behind a cell's closing quote"),
        ("text,label\na\rb,1\n", ", line 2: is no row of a table: new-line character"),
        (f"text,label\n{'x' * 200_000},1\n", ", line 2: a cell has more than 131,072 characters"),
        (",".join(["text", "label", *map(str, range(10_000))]), " has more than 10,000 columns"),
    ],
    ids=lambda text: text[:30],
)
def test_a_broken_table_is_one_line_with_its_place(tmp_path: Path, content: str, message: str):
    path = tmp_path / "a.csv"
    path.write_bytes(content.encode())
    assert message in refusal(path)


def test_a_quote_that_is_not_closed_ends_where_a_line_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OSE_MAX_LINE_BYTES", "2000")
    path = tmp_path / "a.csv"
    path.write_text('text,label\nfine,1\n"' + "word\n" * 1_000)
    assert ", line 3: begins a row of more than 2,000 bytes (OSE_MAX_LINE_BYTES)" in refusal(path)


def test_the_bound_of_the_csv_module_is_left_as_it_is(tmp_path: Path):
    before = csv.field_size_limit(50)
    try:
        path = written(tmp_path / "a.csv", [("x" * 60, "1")])
        assert "a cell has more than 50 characters" in refusal(path) and csv.field_size_limit() == 50
    finally:
        csv.field_size_limit(before)


def test_a_file_without_a_line_has_no_rows(tmp_path: Path):
    for name in ("a.csv", "a.tsv"):
        (tmp_path / name).write_text("\n\n")
        assert list(iter_delimited(tmp_path / name, SEPARATORS[tmp_path.joinpath(name).suffix], ["text"])) == []
