"""Tests ose/tasks/text_classification/row_labels.py too."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ose.core.job import ItemFacts
from ose.core.spec import Columns, CorpusSpec
from ose.errors import CorpusError
from ose.inputs.corpora import inspect_corpus
from ose.inputs.items import inspect_items
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder

WORDS = ("a", "the", "of", "in", "to")
NAMES = ("no", "yes", "unsure")


def put(file: Path, rows: Sequence[Sequence[object]], head: Sequence[str] = ("text", "label")) -> str:
    with file.open("w", newline="", encoding="utf8") as stream:
        csv.writer(stream).writerows([head, *rows])
    return str(file)


def texts(count: int, words: int = 3, begin: int = 0) -> list[str]:
    return [f"{number} " + " ".join(WORDS[number % 5] for _ in range(words)) for number in range(begin, begin + count)]


def labelled(count: int, words: int = 3, begin: int = 0) -> list[tuple[str, str]]:
    return [(text, NAMES[number % 3]) for number, text in enumerate(texts(count, words, begin))]


def facts(teacher: Path, train: str, validation: str | None = None, **changes: Any) -> ItemFacts:
    spec = CorpusSpec(
        train=(train,),
        validation=() if validation is None else (validation,),
        **{"columns": Columns(label="label"), "sequence_length": 32, **changes},
    )
    corpus = inspect_corpus(spec, rows=True)
    return inspect_items(corpus, spec, TeacherFolder(teacher), task_rules("text_classification"), 2000, 0)


def test_lengths_are_of_the_teachers_tokens_and_what_is_longer_is_cut(tiny_classifier: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_classifier)
    train, held_out = labelled(60), labelled(30, begin=100) + labelled(10, words=60, begin=200)
    found = facts(tiny_classifier, put(tmp_path / "a.csv", train), put(tmp_path / "b.csv", held_out))
    lengths = sorted(len(tokenizer(text)["input_ids"]) for text, _ in held_out)
    assert found.median_tokens == lengths[19]
    assert found.p95_tokens == 32 < lengths[37]
    assert (found.train_cut_share, found.held_out_cut_share) == (0, 0.25)
    assert found.mean_tokens == pytest.approx(sum(len(tokenizer(text)["input_ids"]) for text, _ in train) / 60)
    assert (found.num_rows, found.num_bad, found.overlap_share, found.unseen_labels) == (100, 0, 0, ())


def test_held_out_items_that_stand_in_training_are_counted(tiny_classifier: Path, tmp_path: Path) -> None:
    train, held_out = labelled(60), [*labelled(10), *labelled(30, begin=100)]
    assert (
        facts(tiny_classifier, put(tmp_path / "a.csv", train), put(tmp_path / "b.csv", held_out)).overlap_share == 0.25
    )
    alone = facts(tiny_classifier, put(tmp_path / "a.csv", labelled(200)))
    assert alone.overlap_share is None  # a cut by the text itself leaves none


def test_bad_rows_are_counted_where_some_may_be(tiny_classifier: Path, tmp_path: Path) -> None:
    rows = [*labelled(198), ("", "no"), ("a text", "")]
    found = facts(tiny_classifier, put(tmp_path / "a.csv", rows), skip_bad_rows=0.1)
    assert (found.num_rows, found.num_bad) == (200, 2)


def test_labels_that_no_held_out_item_has_are_named(tiny_classifier: Path, tmp_path: Path) -> None:
    held_out = [row for row in labelled(60, begin=100) if row[1] != "unsure"]
    found = facts(tiny_classifier, put(tmp_path / "a.csv", labelled(60)), put(tmp_path / "b.csv", held_out))
    assert found.unseen_labels == ("unsure",)


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("unsuer", "b.csv, line 14: the model has no label 'unsuer'; did you mean 'unsure'?"),
        ("7", "b.csv, line 14: the label '7' is no id of the model's, 0 to 2"),
    ],
)
def test_a_label_that_is_none_of_the_teachers_is_refused_with_its_line(
    tiny_classifier: Path, tmp_path: Path, label: str, told: str
) -> None:
    held_out = labelled(60, begin=100)
    held_out[12] = (held_out[12][0], label)
    with pytest.raises(CorpusError) as refused:
        facts(tiny_classifier, put(tmp_path / "a.csv", labelled(60)), put(tmp_path / "b.csv", held_out))
    assert str(refused.value).endswith(told)


def test_labels_that_are_all_the_same_are_refused(tiny_classifier: Path, tmp_path: Path) -> None:
    held_out = [(text, "no") for text in texts(20, begin=100)]
    with pytest.raises(CorpusError, match="all 20 labels of the validation part are 'no'; metrics need two"):
        facts(tiny_classifier, put(tmp_path / "a.csv", labelled(60)), put(tmp_path / "b.csv", held_out))


def test_no_labels_are_needed(tiny_classifier: Path, tmp_path: Path) -> None:
    train = put(tmp_path / "a.csv", [(text,) for text in texts(200)], ("text",))
    assert facts(tiny_classifier, train, columns=Columns()).unseen_labels == ()


def test_of_a_long_file_only_the_first_rows_are_read(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ose.inputs.items._MOST_READ", 50)
    rows = [*labelled(1500), ("a bad one", "")]
    assert facts(tiny_classifier, put(tmp_path / "a.csv", rows)).num_rows == 50


def test_a_side_whose_first_row_comes_late_is_found(
    tiny_classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ose.data.row_sides import is_held_out
    from ose.data.tables import Row

    monkeypatch.setattr("ose.inputs.items._MOST_READ", 5)
    rows = sorted(labelled(200), key=lambda row: is_held_out(Row("", row[0])))
    train = put(tmp_path / "a.csv", rows)
    with pytest.raises(CorpusError, match="all 1 labels"):  # one that was read, and is not enough
        facts(tiny_classifier, train)
    assert facts(tiny_classifier, train, columns=Columns()).median_tokens is not None
