from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ose.core.job import CorpusFacts
from ose.core.spec import Columns, CorpusSpec
from ose.data.row_sides import is_held_out
from ose.data.tables import Row
from ose.errors import CorpusError
from ose.inputs.corpora import inspect_corpus


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "b.txt").write_text("second\n")
    (tmp_path / "a.txt").write_text("\n\nfirst\n")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "c.txt").write_text("third\n")
    (tmp_path / "empty.log").touch()
    (tmp_path / "blank.log").write_text(" \n\n\t\n")
    return tmp_path


def inspect(*train: str, validation: tuple[str, ...] = ()) -> CorpusFacts:
    return inspect_corpus(CorpusSpec(train=train, validation=validation))


def refusal(*train: str, validation: tuple[str, ...] = ()) -> str:
    with pytest.raises(CorpusError) as caught:
        inspect(*train, validation=validation)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_of_what_a_glob_matches_the_empty_files_are_left_out(folder: Path):
    assert inspect(f"{folder}/*.*").train == (f"{folder}/a.txt", f"{folder}/b.txt")
    told = f"{folder}/blank.log: holds no text, and neither do 1 more of corpus.train"
    assert refusal(f"{folder}/*.log") == refusal(f"{folder}/blank.log", f"{folder}/empty.log") == told
    assert inspect(f"{folder}/a.txt", f"{folder}/empty.log", f"{folder}/b.txt").left_out == (f"{folder}/empty.log",)


def test_globs_expand_sorted_each_file_once_in_the_order_given(folder: Path):
    facts = inspect(f"{folder}/deep/c.txt", f"{folder}/**/*.txt")
    assert facts.train == tuple(f"{folder}/{name}" for name in ("deep/c.txt", "a.txt", "b.txt"))
    assert facts.validation == ()
    assert facts.size_bytes == len("third\n" + "\n\nfirst\n" + "second\n")


def test_relative_files_become_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(folder)
    assert inspect("a.txt", "[b].txt").train == (f"{folder}/a.txt", f"{folder}/b.txt")


def test_a_name_with_brackets_is_a_file_first(folder: Path):
    (folder / "odd[1].txt").write_text("text")
    assert inspect(f"{folder}/odd[1].txt").train == (f"{folder}/odd[1].txt",)


def test_the_digest_follows_contents_and_roles_but_not_names(folder: Path):
    a, b = f"{folder}/a.txt", f"{folder}/b.txt"
    before = inspect(a, b).digest
    assert inspect(b, a).digest != before
    assert inspect(a, validation=(b,)).digest != before
    assert inspect(str((folder / "a.txt").rename(folder / "renamed.txt")), b).digest == before
    (folder / "b.txt").write_text("changed\n")
    assert inspect(f"{folder}/renamed.txt", b).digest != before


def test_what_holds_no_text_is_refused(folder: Path):
    assert refusal(f"{folder}/empty.log") == f"{folder}/empty.log: holds no text"
    assert refusal(f"{folder}/a.txt", validation=(f"{folder}/blank.log",)) == f"{folder}/blank.log: holds no text"


def test_what_is_not_there_is_refused(folder: Path):
    assert refusal(f"{folder}/none.txt") == f"corpus.train: '{folder}/none.txt': no such file"
    assert refusal(f"{folder}/*.md") == f"corpus.train: '{folder}/*.md' matches no file"
    assert f"{folder} is a directory; name its files, as in {folder}/*.txt" in refusal(str(folder))
    assert "no such file" in refusal("")
    assert refusal("null\0byte").startswith("corpus.train: ")
    assert "File name too long" in refusal("x" * 5000)


def test_an_archive_that_is_none_is_found_at_once(folder: Path):
    (folder / "a.txt").rename(folder / "text.gz")
    assert f"{folder}/text.gz is a corrupt or truncated archive" in refusal(f"{folder}/text.gz")
    (folder / "text.gz").write_bytes(gzip.compress(b"real text\n"))
    assert inspect(f"{folder}/text.gz").size_bytes > 0


def test_held_out_text_must_be_other_text(folder: Path):
    assert "is in corpus.train and in corpus.validation" in refusal(f"{folder}/*.txt", validation=(f"{folder}/a.txt",))


def test_a_dataset_that_cannot_be_had_names_both_readings(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message = refusal("nobody/no-such-dataset")
    assert message.startswith("'nobody/no-such-dataset:train': no such file, and not available as a dataset of the hub")


def test_what_is_no_file_is_called_so(folder: Path):
    os.mkfifo(folder / "pipe")
    assert refusal(f"{folder}/pipe").endswith("cannot be read: it is no file but a pipe")
    assert refusal("/dev/zero").endswith("cannot be read: it is no file but a device")
    assert "matches no file" in refusal(f"{folder}/p*e")


def test_a_root_is_remembered_and_no_text_leads_out_of_it(folder: Path):
    (folder / "deep" / "out.txt").symlink_to(folder / "a.txt")
    spec = CorpusSpec(train=(f"{folder}/deep/c.txt",))
    assert inspect_corpus(spec, folder / "deep").root == str(folder / "deep")
    with pytest.raises(CorpusError, match="leads out"):
        inspect_corpus(CorpusSpec(train=(f"{folder}/deep/out.txt",)), folder / "deep")


def rows_of(folder: Path, content: str, name: str = "a.csv", **changes: object) -> CorpusFacts:
    (folder / name).write_text(content)
    columns = Columns(text="sentence", label="label")
    return inspect_corpus(CorpusSpec(**{"train": (str(folder / name),), "columns": columns, **changes}), rows=True)


MANY = "sentence,label\n" + "".join(f"text {number},1\n" for number in range(100))


def test_tables_are_told_apart_from_text(folder: Path):
    assert rows_of(folder, MANY).tables and not inspect(f"{folder}/a.txt").tables
    (folder / "b.tsv").write_text("text\nword\n")
    spec = CorpusSpec(train=(f"{folder}/b.tsv",))
    assert inspect_corpus(spec).tables and not inspect_corpus(spec, tables=False).tables
    assert inspect_corpus(spec).digest == inspect_corpus(spec, tables=False).digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sentense,label\na,1\n", "a.csv has no column 'sentence'; nearest: 'sentense'"),
        (MANY + ",1\n", "a.csv, line 102: column 'sentence' is empty"),
        (MANY + "b\n", "a.csv, line 102: has 1 cells, but the header has 2"),
        ("sentence,label\n", "a.csv: holds no row that can be used"),
        ("", "a.csv: holds no row that can be used"),
    ],
)
def test_rows_are_refused_in_one_line(folder: Path, content: str, message: str):
    with pytest.raises(CorpusError) as caught:
        rows_of(folder, content)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("side", "told"), [(True, "all of them are held out"), (False, "none is held out")])
def test_rows_on_one_side_alone_are_refused(folder: Path, side: bool, told: str):
    texts = (f"text {number}" for number in range(100))
    text = next(each for each in texts if is_held_out(Row(place="", text=each)) == side)
    with pytest.raises(CorpusError, match=f"^corpus.train has so few rows that {told}"):
        rows_of(folder, f"sentence,label\n{text},1\n")


def test_bad_rows_pass_up_to_the_share(folder: Path):
    bad = MANY + ",1\n"
    assert rows_of(folder, bad, skip_bad_rows=0.01).tables
    with pytest.raises(CorpusError, match="line 102: column 'sentence' is empty; 1 of 101 rows cannot be used, more"):
        rows_of(folder, bad, skip_bad_rows=0.005)


def test_named_validation_needs_a_row_and_a_glob_leaves_out_headers_alone(folder: Path):
    (folder / "v-1.csv").write_text("sentence,label\n")
    with pytest.raises(CorpusError, match=r"v-1\.csv: holds no row"):
        rows_of(folder, MANY, validation=(f"{folder}/v-1.csv",))
    (folder / "v-2.csv").write_text("sentence,label\na,1\n")
    assert rows_of(folder, MANY, validation=(f"{folder}/v-*.csv",)).validation == (f"{folder}/v-2.csv",)


def test_text_without_labels_is_looked_at_too(folder: Path):
    def of(*general: str, **sides: tuple[str, ...]) -> CorpusFacts:
        return inspect_corpus(CorpusSpec(train=(f"{folder}/a.txt",), general=general, **sides))

    facts = of(f"{folder}/b.txt", f"{folder}/deep/*.txt")
    assert facts.general == (f"{folder}/b.txt", f"{folder}/deep/c.txt")
    assert facts.digest != of(f"{folder}/b.txt").digest != inspect(f"{folder}/a.txt").digest
    assert facts.size_bytes == sum(len(text) for text in ("\n\nfirst\n", "second\n", "third\n"))
    with pytest.raises(CorpusError, match=r"is in corpus\.general and in corpus\.validation"):
        of(f"{folder}/b.txt", validation=(f"{folder}/b.txt",))
    with pytest.raises(CorpusError, match=r"blank\.log: holds no text"):
        of(f"{folder}/blank.log")
