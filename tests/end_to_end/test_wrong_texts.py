"""Texts that are not what was meant, by the commands that people give: told in a line, with what to do.

Tests ose/data/document_sides.py, ose/data/forms.py, ose/data/sniffing.py, ose/data/unpacking.py,
ose/data/zstd_frames.py and ose/inputs/text_survey.py too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from odd_texts import ODD_TEXTS, OddText
from pyarrow import parquet

from ose.data.documents import iter_documents

THAI = "สวัสดีครับ วันนี้อากาศดีมาก ผมไปตลาดกับเพื่อนและซื้อผลไม้หลายอย่าง"


@pytest.fixture
def documents(real_text: list[str]) -> list[str]:
    """A line each."""
    return [" ".join(text.replace('"', "").split()) for text in real_text][:40]


@pytest.fixture
def submitted(ose, write, job, tmp_path: Path) -> Callable[..., Any]:
    """Submit the job with other text; what came of it."""

    def submit(*options: str, **corpus: Any) -> Any:
        job["corpus"] |= {name: [str(tmp_path / each) for each in files] for name, files in corpus.items()}
        return ose("job", "submit", *options, write(job))

    return submit


def notes(ose, submitted: Any) -> str:
    assert submitted.status == 0, submitted.err
    [job] = json.loads(ose("job", "list", "--format", "json").out)
    return "\n".join(job["notes"])


@pytest.mark.parametrize("odd", ODD_TEXTS, ids=lambda odd: f"{odd.kind}-{odd.variant}".replace(" ", "_"))
def test_a_file_is_what_it_seems_or_is_named(odd: OddText, submitted, tmp_path: Path, documents: list[str]) -> None:
    (tmp_path / odd.name).write_bytes(odd.content(documents))
    outcome = submitted(train=[odd.name])
    if odd.told is None:
        assert outcome.status == 0, outcome.err
        assert list(iter_documents([str(tmp_path / odd.name)], "text"))
        return
    assert outcome.status == 2
    assert odd.name in outcome.complaint and "try again" not in outcome.complaint
    told = odd.told.format(count=len(documents))
    # between archives nothing behind the first is read; before it, all of it is
    assert told in outcome.complaint


def test_what_looks_like_a_table_may_be_meant(submitted, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("key,value\n" + "".join(f"name {n},{n}\n" for n in range(400)))
    assert "a table with commas" in submitted(train=["a.txt"]).complaint
    assert submitted("--corpus-as-is", train=["a.txt"]).status == 0


@pytest.mark.parametrize("named", ["one by one", "by a glob"])
def test_files_without_text_are_left_out_and_told(ose, submitted, tmp_path: Path, named: str) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "blank.txt").write_text(" \n\n")
    files = ["text.txt", "empty.txt", "blank.txt"] if named == "one by one" else ["*.txt"]
    told = notes(ose, submitted(train=files))
    assert "2 of the files named hold no text and are left out" in told and "empty.txt" in told


@pytest.mark.parametrize("named", ["one by one", "by a glob"])
def test_null_rows_and_null_shards_are_counted(
    ose, submitted, tmp_path: Path, documents: list[str], named: str
) -> None:
    for name, texts in {"a": [*documents, None, None], "b": [None, None]}.items():
        kind = pa.string() if name == "a" else pa.null()
        parquet.write_table(pa.table({"text": pa.array(texts, kind)}), tmp_path / f"{name}.parquet")
    files = ["a.parquet", "b.parquet"] if named == "one by one" else ["*.parquet"]
    told = notes(ose, submitted(train=files))
    assert "1 of the files named hold no text and are left out: b.parquet" in told
    assert f"2 of {len(documents) + 2} records read so far have no text" in told


@pytest.mark.parametrize(
    ("column", "told"),
    [
        (pa.array([1, 2]), "not INT64"),
        (pa.array([b"a", b"b"]), "not BYTE_ARRAY"),
        (pa.array([["a"], ["b"]]), "not a LIST of BYTE_ARRAY (String)"),
        (pa.array([{"a": 1}, {"a": 2}]), "not a group of INT64"),
    ],
)
def test_types_are_named_by_the_words_of_parquet(submitted, tmp_path: Path, column: pa.Array, told: str) -> None:
    parquet.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert f"a.parquet: column 'text' must hold text, {told}" in submitted(train=["a.parquet"]).complaint


@pytest.mark.parametrize("text", [THAI, "Сегодня хорошая погода, и мы идём гулять в парк, где растут берёзы."])
def test_text_that_the_vocabulary_takes_apart_is_refused(ose, submitted, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text("\n".join(f"{text} {number}" for number in range(200)))
    complaint = submitted(train=["a.txt"]).complaint
    assert re.search(r"the training text: the teacher's vocabulary takes it apart: \d+% are single", complaint)
    told = notes(ose, submitted("--corpus-as-is", train=["a.txt"]))
    assert re.search(r"tokens of a word of the training text; 0.0% of them are unknown to it, \d+", told)


@pytest.mark.parametrize("text", ["⟦ꙮ⟧ ꙮꙮ ⟦ꙮ⟧ ꙮ", "𓀀𓀁 𓀂𓀃 𓀄 𓀅𓀆"])
def test_text_that_the_vocabulary_does_not_know_is_refused(
    job, submitted, tmp_path: Path, tiny_bert: Path, text: str
) -> None:
    job["teacher"]["model"] = str(tiny_bert)
    (tmp_path / "a.txt").write_text("\n".join(f"{text} {text}" for _ in range(300)))
    assert "of its tokens are unknown to the teacher's vocabulary" in submitted(train=["a.txt"]).complaint
    submitted("--corpus-as-is", train=["a.txt"])


def test_held_out_text_of_another_language_is_refused(submitted, tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("\n".join(f"{THAI} {number}" for number in range(200)))
    assert (
        "the held-out text: the teacher's vocabulary" in submitted(train=["text.txt"], validation=["b.txt"]).complaint
    )


def test_sequences_that_are_dropped_are_said(ose, write, job, tmp_path: Path, tiny_bert: Path) -> None:
    job["teacher"]["model"] = str(tiny_bert)
    (tmp_path / "a.txt").write_text("\n".join("ꙮ 𓀀 ꙮ 𓀁 ꙮ 𓀂" for _ in range(300)))
    job["corpus"]["train"] = [str(tmp_path / "a.txt")]
    outcome = ose("job", "run", "--corpus-as-is", write(job))
    assert outcome.status == 1
    assert "the train text gives no sequence: all" in outcome.err and "does not know most of each" in outcome.err
    assert "try again" not in outcome.err


@pytest.mark.parametrize("changed", [str, str.upper, lambda text: f"  {text.replace(' ', '   ')} "])
def test_held_out_text_that_is_trained_on_is_refused(
    ose, submitted, tmp_path: Path, documents: list[str], changed: Callable[[str], str]
) -> None:
    (tmp_path / "a.txt").write_text("\n".join(documents))
    (tmp_path / "b.txt").write_text("\n".join(map(changed, documents[:30])))
    complaint = submitted(train=["a.txt"], validation=["b.txt"]).complaint
    assert "corpus.validation: 100% of the held-out texts stand in the training text" in complaint
    told = notes(ose, submitted("--corpus-as-is", train=["a.txt"], validation=["b.txt"]))
    assert "100.0% with case and blanks levelled" in told


def test_a_small_overlap_is_told(ose, submitted, tmp_path: Path, documents: list[str]) -> None:
    (tmp_path / "a.txt").write_text("\n".join(documents[:30]))
    (tmp_path / "b.txt").write_text("\n".join([documents[0], documents[1].upper(), *documents[30:38]]))
    told = notes(ose, submitted(train=["a.txt"], validation=["b.txt"]))
    assert "10.0% of the held-out texts also stand in the training text as they are, 20.0% with case" in told
