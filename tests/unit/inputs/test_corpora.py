from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from ose.core.job import CorpusFacts
from ose.core.spec import CorpusSpec
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
    assert refusal(f"{folder}/*.log") == f"corpus.train: '{folder}/*.log' matches no file that holds text"


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
