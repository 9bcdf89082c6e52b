import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from builders import NOW, job_spec
from classifiers import put_teacher
from searches import data_task
from transformers import AutoTokenizer

from ose.core.job import Job, JobStatus
from ose.core.messages import DataRequest
from ose.core.spec import Columns, CorpusSpec
from ose.data.unchanged import corpus_digest
from ose.errors import CorpusError
from ose.inputs.corpora import inspect_corpus
from ose.tasks.text_classification.corpus_items import sample_items, training_items

NAMES = {"id2label": {0: "no", 1: "yes"}}
ROWS = [
    (f"text number {i} {'and more ' * (i % 9)}", "other", "yes" if i % 3 else "no", f"q{i // 5}") for i in range(90)
]


@pytest.fixture(scope="module")
def teacher(tiny_bert: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_teacher(tmp_path_factory.mktemp("items") / "teacher", "bert", tiny_bert, **NAMES)


def request(folder: Path, teacher: Path, rows: list[tuple[str, ...]] = ROWS, **columns: Any) -> DataRequest:
    with (folder / "train.csv").open("w", newline="", encoding="utf8") as file:
        csv.writer(file).writerows([("one", "two", "kind", "query"), *rows])
    named = Columns(**{"text": "one", "label": "kind"} | columns)
    spec = CorpusSpec(train=(str(folder / "train.csv"),), columns=named, sequence_length=16)
    return data_task(folder / "data", teacher, inspect_corpus(spec), corpus_spec=spec)


def test_labels_are_the_teachers_ids_by_name(teacher: Path, tmp_path: Path) -> None:
    drawn = sample_items(request(tmp_path, teacher), "train", 40, 0)
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    texts = tokenizer.batch_decode(drawn.items.input_ids, skip_special_tokens=True)
    assert len(drawn.items) == 40 and drawn.kind == "single_label"
    for text, label in zip(texts, drawn.items.labels.tolist(), strict=True):
        assert label == (int(text.replace(" ", "").removeprefix("textnumber")[0:2].rstrip("a")) % 3 > 0)


def test_no_item_is_on_both_sides_nor_twice(teacher: Path, tmp_path: Path) -> None:
    asked = request(tmp_path, teacher)
    drawn = [sample_items(asked, side, 90, 0).items.input_ids.tolist() for side in ("train", "validation")]
    sides = [set(map(tuple, each)) for each in drawn]
    assert not sides[0] & sides[1] and len(sides[0]) + len(sides[1]) == 90


def test_rows_of_a_query_stay_together(teacher: Path, tmp_path: Path) -> None:
    asked = request(tmp_path, teacher, text_pair="two", query_id="query")
    drawn = sample_items(asked, "train", 40, 0).items
    assert set(torch.bincount(drawn.queries).tolist()) == {5} and drawn.token_type_ids is not None


def test_neighbours_have_about_one_length_and_the_order_follows_from_the_seed(teacher: Path, tmp_path: Path) -> None:
    asked = request(tmp_path, teacher)
    first, again, other = (sample_items(asked, "train", 80, seed).items for seed in (0, 0, 1))
    assert torch.equal(first.input_ids, again.input_ids) and not torch.equal(first.input_ids, other.input_ids)
    assert (first.lengths.diff() < 0).sum() <= len(first) // 32  # within a batch's worth none is shorter than the last


def test_the_share_that_is_cut_is_of_texts_that_were_longer(teacher: Path, tmp_path: Path) -> None:
    """A text that has just the length is not cut."""
    tokenizer = AutoTokenizer.from_pretrained(teacher)
    words = " ".join(["x"] * 14)
    assert len(tokenizer(words)["input_ids"]) == 16
    rows = [(words, "", "no", "a")] * 3 + [(f"{words} x", "", "no", "b")]
    asked = request(tmp_path, teacher, rows)
    trained_on = replace(asked.corpus, validation=asked.corpus.train)
    everything = replace(asked, corpus=replace(trained_on, digest=corpus_digest(trained_on)))
    assert sample_items(everything, "train", 4, 0).share_cut == 0.25


def test_without_labels_and_queries_there_are_none(teacher: Path, tmp_path: Path) -> None:
    drawn = sample_items(request(tmp_path, teacher, label=None), "train", 40, 0).items
    assert drawn.labels is None and drawn.queries is None and drawn.token_type_ids is None


def test_a_label_that_the_teacher_does_not_know_names_its_line(teacher: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"train\.csv, line 92.*'yess'.*did you mean 'yes'\?"):
        sample_items(request(tmp_path, teacher, [*ROWS, ("a text", "", "yess", "")]), "train", 90, 0)


def test_all_training_items_are_encoded_once(teacher: Path, tmp_path: Path) -> None:
    asked = request(tmp_path, teacher)
    job = Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=asked.corpus_spec),
        spec_hash="5" * 64,
        teacher=asked.teacher,
        corpus=asked.corpus,
        created_at=NOW,
    )
    first = training_items(job, AutoTokenizer.from_pretrained(teacher), tmp_path)
    [file] = tmp_path.glob("*.safetensors")
    changed = file.stat().st_mtime_ns
    again = training_items(job, AutoTokenizer.from_pretrained(teacher), tmp_path)
    assert torch.equal(first.input_ids, again.input_ids) and file.stat().st_mtime_ns == changed
    assert 70 < len(first) < 90
