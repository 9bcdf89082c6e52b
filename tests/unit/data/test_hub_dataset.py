"""Tests ose/data/dataset_process.py."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ose.data.documents import iter_documents
from ose.data.hub_dataset import DatasetId, iter_dataset, parse_dataset_id
from ose.errors import CorpusError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hf:imdb", DatasetId(name="imdb")),
        ("imdb:test", DatasetId(name="imdb", split="test")),
        ("Salesforce/wikitext", DatasetId(name="Salesforce/wikitext")),
        ("hf:a/b/c@v1.0:test", DatasetId(name="a/b", configuration="c", revision="v1.0", split="test")),
        ("a/b@main", DatasetId(name="a/b", revision="main")),
    ],
)
def test_an_id_names_dataset_configuration_revision_and_split(text: str, expected: DatasetId):
    assert parse_dataset_id(text) == expected
    assert parse_dataset_id(str(expected)) == expected


@pytest.mark.parametrize("text", ["/a/b", "./a", "../a", "a/b/c/d", "text.txt", "a/b.jsonl.gz", "a b", "*", ""])
def test_what_can_only_be_a_file_is_no_id(text: str):
    assert parse_dataset_id(text) is None


def test_a_file_of_that_name_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("imdb").write_text("not the dataset")
    assert list(iter_documents(["imdb"], "text")) == ["not the dataset"]
    assert parse_dataset_id("hf:imdb") == DatasetId(name="imdb")


def test_a_broken_id_says_how_to_write_one():
    with pytest.raises(CorpusError, match=r"write hf:owner/dataset\[/configuration\]"):
        parse_dataset_id("hf:a//b")


@pytest.fixture
def local_dataset(tmp_path: Path) -> DatasetId:
    """A dataset in a folder, which the library reads as it reads one of the hub."""
    lines = [json.dumps({"body": f"document {i}"}) for i in range(3)]
    (tmp_path / "train.jsonl").write_text("\n".join(lines))
    return DatasetId(name=str(tmp_path))


@pytest.mark.processes
def test_rows_stream_out_of_a_dataset(local_dataset: DatasetId):
    records = list(iter_dataset(local_dataset, ["body"]))
    assert [record.values for record in records] == [{"body": f"document {i}"} for i in range(3)]


@pytest.mark.processes
def test_a_dataset_without_the_field_or_split_is_one_line(local_dataset: DatasetId):
    with pytest.raises(CorpusError, match="has no column 'text', only 'body'"):
        list(iter_dataset(local_dataset, ["text"]))
    with pytest.raises(CorpusError, match="cannot be read: ") as caught:
        list(iter_dataset(DatasetId(name=local_dataset.name, split="dev"), ["body"]))
    assert "\n" not in str(caught.value)


@pytest.mark.processes
@pytest.mark.parametrize("named", ["{outside}/secret.jsonl", "../secret.jsonl", "{outside}/*.jsonl"])
def test_a_card_that_names_files_elsewhere_is_refused(tmp_path: Path, named: str):
    (tmp_path / "secret.jsonl").write_text('{"text": "secret"}')
    (tmp_path / "data").mkdir()
    files = named.format(outside=tmp_path)
    (tmp_path / "data" / "README.md").write_text(f"---\nconfigs:\n- config_name: x\n  data_files: {files}\n---\n")
    with pytest.raises(CorpusError, match="names files that are not its own"):
        list(iter_dataset(DatasetId(name=str(tmp_path / "data")), ["text"]))


@pytest.mark.parametrize(
    "text", ["hf:a/..", "hf:a/b@..", "hf:a/b@x.lock", "hf:a/b:..", "hf:a/b/..", "hf:é/b", "hf:" + "a" * 97]
)
def test_no_part_of_an_id_leads_out(text: str):
    with pytest.raises(CorpusError, match="is no dataset id"):
        parse_dataset_id(text)


LISTED = """
import sys
listed = []
sys.addaudithook(lambda event, asked: listed.append(str(asked[0])) if event in ("os.scandir", "os.listdir") else None)
from ose.data.dataset_process import _values
from ose.data.hub_dataset import DatasetId
try:
    print(*(row["text"] for row in _values(DatasetId(name=sys.argv[1]), ["text"])))
except Exception as error:
    print(error)
print(*(folder for folder in listed if folder.startswith(sys.argv[2])))
"""


@pytest.mark.parametrize(
    ("card", "told", "looked_at"),
    [
        ("data_files: '*.jsonl'", "some", {"data"}),
        ("data_files: '{root}/**/*.jsonl'", "names files that are not its own", set()),
        ("data_dir: ../outside", "names files that are not its own", {"data"}),
    ],
)
@pytest.mark.processes
def test_nothing_is_looked_for_where_a_card_may_not_lead(tmp_path: Path, card: str, told: str, looked_at: set[str]):
    for name in ("data", "outside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "some.jsonl").write_text('{"text": "some"}')
    config = card.format(root=tmp_path)
    (tmp_path / "data" / "README.md").write_text(f"---\nconfigs:\n- config_name: x\n  {config}\n---\n")
    command = [sys.executable, "-c", LISTED, str(tmp_path / "data"), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    answer, folders = run.stdout.splitlines()
    assert told in answer and {Path(folder).name for folder in folders.split()} == looked_at


@pytest.mark.processes
def test_no_other_site_is_asked_for_what_a_card_names(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as site:
        site.settimeout(0.1)
        files = f"http://127.0.0.1:{site.getsockname()[1]}/*.jsonl"
        (tmp_path / "README.md").write_text(f"---\nconfigs:\n- config_name: x\n  data_files: {files}\n---\n")
        with pytest.raises(CorpusError, match="names files that are not its own"):
            list(iter_dataset(DatasetId(name=str(tmp_path)), ["text"]))
        with pytest.raises(TimeoutError):
            site.accept()
