import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from labelled import QUICK, bracket_rows, corpus_of, finetuning, write_table

from ose.core.finetuning import RECORD, HeadRequest
from ose.core.spec import Columns, CorpusSpec
from ose.errors import ConflictError, CorpusError, InvalidInputError, TeacherError
from ose.inputs.finetuning import finished, inspect_evaluation


@pytest.fixture
def table(real_text: list[str], tmp_path: Path) -> Path:
    return write_table(tmp_path / "train.csv", bracket_rows(real_text, 60))


def test_an_encoder_is_tuned_for_classification(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    request = finetuning(tiny_roberta, corpus_of(table), tmp_path)
    assert (request.task, request.model) == ("text_classification", str(tiny_roberta))
    assert finished(request) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": (1,)},
        {"sequence_length": 16},
        {"head": HeadRequest(is_new=True)},
        {"spec": replace(QUICK, steps=7)},
    ],
)
def test_what_decides_the_result_is_in_the_key(
    changes: dict[str, Any], tiny_roberta: Path, table: Path, tmp_path: Path
) -> None:
    plain = finetuning(tiny_roberta, corpus_of(table), tmp_path)
    assert finetuning(tiny_roberta, corpus_of(table), tmp_path, **changes).key != plain.key


def test_what_decides_nothing_is_not(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    plain = finetuning(tiny_roberta, corpus_of(table), tmp_path)
    moved = table.rename(tmp_path / "moved.csv")
    changes = {"spec": replace(QUICK, checkpoint_every=3), "output": tmp_path / "elsewhere", "threads": 2}
    assert finetuning(tiny_roberta, corpus_of(moved), tmp_path, **changes).key == plain.key


def test_another_model_or_text_is_another_fine_tuning(
    tiny_roberta: Path, tiny_bert: Path, table: Path, real_text: list[str], tmp_path: Path
) -> None:
    other = write_table(tmp_path / "other.csv", bracket_rows(real_text, 59))
    asked = [(tiny_roberta, table), (tiny_bert, table), (tiny_roberta, other)]
    assert len({finetuning(model, corpus_of(text), tmp_path).key for model, text in asked}) == 3


def test_an_output_that_holds_something_else_is_left_alone(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    (tmp_path / "tuned").mkdir()
    finetuning(tiny_roberta, corpus_of(table), tmp_path)
    (tmp_path / "tuned" / RECORD).write_text(json.dumps({"key": "another"}))
    with pytest.raises(ConflictError, match="choose another --output"):
        finetuning(tiny_roberta, corpus_of(table), tmp_path)
    (tmp_path / "tuned" / RECORD).write_text("[")
    with pytest.raises(ConflictError, match="choose another --output"):
        finetuning(tiny_roberta, corpus_of(table), tmp_path)


def test_the_working_directory_is_no_output(
    tiny_roberta: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConflictError, match="working directory"):
        finetuning(tiny_roberta, corpus_of(table), tmp_path, output=Path("."))


def test_mistakes_are_one_line(tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="there is no task 'sing'"):
        finetuning(tiny_roberta, corpus_of(table), tmp_path, task="sing")
    with pytest.raises(InvalidInputError, match="fill_mask has no labels"):
        finetuning(tiny_roberta, corpus_of(table), tmp_path, task="fill_mask")
    with pytest.raises(TeacherError, match="no such directory"):
        finetuning(tmp_path / "nothing", corpus_of(table), tmp_path)
    with pytest.raises(CorpusError, match="nearest: 'kind'"):
        finetuning(tiny_roberta, corpus_of(table, label="kinds"), tmp_path)
    without = replace(corpus_of(table), columns=Columns(text="sentence"))
    with pytest.raises(InvalidInputError, match="name their column with --label"):
        finetuning(tiny_roberta, without, tmp_path)


@pytest.mark.parametrize(
    ("name", "said"), [("T5ForConditionalGeneration", "encoder-decoder"), ("GPT2LMHeadModel", "a decoder")]
)
def test_what_is_no_encoder_is_one_line(name: str, said: str, tiny_roberta: Path, table: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((tiny_roberta / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "architectures": [name]}))
    with pytest.raises(TeacherError, match=said):
        finetuning(folder, corpus_of(table), tmp_path)


def test_all_of_the_data_is_judged_on(tiny_classifier: Path, table: Path) -> None:
    task, question = inspect_evaluation([str(tiny_classifier)], corpus_of(table), None, "cpu")
    assert task == "text_classification"
    assert question.corpus.validation == question.corpus.train == (str(table),)


def test_a_column_that_the_task_does_not_read_is_one_line(tiny_roberta: Path, table: Path) -> None:
    spec = CorpusSpec(train=(str(table),), columns=Columns(text="sentence", label="kind"))
    with pytest.raises(InvalidInputError, match="label is the column 'kind', but the task fill_mask reads text alone"):
        inspect_evaluation([str(tiny_roberta)], spec, None, "cpu")
