from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ose.core.spec import TeacherSpec
from ose.errors import TeacherError
from ose.inputs.teachers import inspect_teacher


@pytest.fixture
def teacher(tiny_classifier: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_classifier, tmp_path / "teacher"))


def refusal(folder: Path, task: str | None = None) -> str:
    with pytest.raises(TeacherError) as refused:
        inspect_teacher(TeacherSpec(model=str(folder)), task=task)
    assert len(str(refused.value).splitlines()) == 1 and str(folder) in str(refused.value)
    return str(refused.value)


def edit(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, **changes}))


def test_an_adapter_is_to_be_merged_first(teacher: Path) -> None:
    (teacher / "adapter_config.json").write_text("{}")
    assert inspect_teacher(TeacherSpec(model=str(teacher))).task == "text_classification"  # merged already
    (teacher / "model.safetensors").rename(teacher / "adapter_model.safetensors")
    assert "merge it first" in refusal(teacher)
    (teacher / "config.json").unlink()
    assert "merge it first" in refusal(teacher)


@pytest.mark.parametrize(
    ("file", "kind"),
    [("gliner_config.json", "GLiNER"), ("config_setfit.json", "SetFit"), ("model_head.pkl", "SetFit")],
)
def test_models_of_other_libraries_are_told_by_their_files(teacher: Path, file: str, kind: str) -> None:
    (teacher / file).write_text("{}")
    told = refusal(teacher)
    assert f"is a {kind} model" in told and "tune a" in told


def test_an_embedder_is_no_classifier_and_a_reranker_is_one(teacher: Path) -> None:
    (teacher / "modules.json").write_text("[]")
    assert inspect_teacher(TeacherSpec(model=str(teacher))).task == "text_classification"
    edit(teacher, architectures=["RobertaModel"])
    assert "a sentence-transformers model (RobertaModel), which gives vectors" in refusal(teacher)


def test_a_task_that_does_not_suit_says_what_the_model_is(teacher: Path, tiny_roberta: Path) -> None:
    assert refusal(teacher, "fill_mask").endswith(
        "holds a RobertaForSequenceClassification, a text classifier: its task is text_classification; "
        "fill_mask needs a ...ForMaskedLM model"
    )
    assert refusal(tiny_roberta, "text_classification").endswith(
        "a masked language model: its task is fill_mask; text_classification needs a ...ForSequenceClassification model"
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"problem_type": "regression"}, "a regression of 3 numbers at once"),
        ({"problem_type": "single_label_classification", "id2label": {"0": "a"}, "label2id": {"a": 0}}, "always right"),
        ({"problem_type": "sorting"}, "problem_type must be one of"),
        ({"id2label": {"0": "a", "1": "b"}, "label2id": {}}, "has 3 outputs, config.json says 2 labels"),
    ],
)
def test_heads_that_make_no_sense(teacher: Path, changes: dict[str, Any], told: str) -> None:
    edit(teacher, **changes)
    assert told in refusal(teacher)


@pytest.mark.parametrize("name", ["vocab.txt", "vocab.json"])
def test_a_tokenizer_with_words_that_the_teacher_has_not(teacher: Path, name: str) -> None:
    (teacher / "tokenizer.json").unlink()
    words = [f"w{number}" for number in range(900)]
    (teacher / "merges.txt").write_text("")
    as_table = json.dumps({word: number for number, word in enumerate(words)})
    (teacher / name).write_text(as_table if name == "vocab.json" else "\n".join(words))
    assert "the tokenizer has token ids up to 899, the model's vocabulary ends before 800" in refusal(teacher)
