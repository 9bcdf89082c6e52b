"""A classifier's way home: a teacher of any class, its students, and what plain pipelines make of their exports.

Covers ose/runtimes/torch/export.py and ose/tasks/text_classification/card.py for text classification.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import architecture
from classifiers import OTHERS, put_pairs, put_teacher
from manifests import manifest
from searches import data_task, evaluate_task, facts_of, targets_tasks
from transformers import AutoConfig, AutoTokenizer, pipeline

from ose.core.exports import MANIFEST
from ose.core.inheritance import InheritanceSpec
from ose.distillation.candidate_evaluation import evaluate_candidate
from ose.extraction.initial import Start, initial_student
from ose.runtimes.torch.export import export_student
from ose.tasks.judging import held_out_quality
from ose.tasks.registry import load_task

TASK = load_task("text_classification")
SMALL = architecture(1, 2, 16, 24)
KINDS: dict[str, dict[str, Any]] = {
    "inference": {"id2label": {0: "entailment", 1: "neutral", 2: "contradiction"}},
    "several": {"id2label": {i: f"topic {i}" for i in range(12)}, "problem_type": "multi_label_classification"},
    "reranker": {"num_labels": 1},
    "regression": {"num_labels": 1, "problem_type": "regression"},
}
LONG = "Never again! " * 300


def exported(folder: Path, teacher: Path, columns: Any, **config: Any) -> Path:
    """The export of a student that starts at random, with its card and manifest."""
    model = TASK.load_teacher(teacher)
    start = Start(
        initialization="random", inheritance=InheritanceSpec(), seed=0, calibration=None, task="text_classification"
    )
    student = initial_student(model, SMALL, start)
    student.save_pretrained(folder / "student")
    TASK.load_tokenizer(teacher).save_pretrained(folder / "student")
    names = [student.config.id2label[index] for index in range(student.config.num_labels)]
    told = manifest(
        {"agreement": {"value": 0.5, "stderr": None}}, columns, labels=names, problem_type=student.config.problem_type
    )
    summary = export_student(TASK, folder / "student", folder / "export", told, TASK.card(told))
    assert summary.max_logit_difference <= 1e-5
    return folder / "export"


def logits(folder: Path, text: str, pair: str | None = None) -> torch.Tensor:
    """Of the student before its export, as the task encodes texts for it."""
    model, tokenizer = TASK.load_teacher(folder.with_name("student")), TASK.load_tokenizer(folder.with_name("student"))
    from ose.data.tables import Row
    from ose.tasks.text_classification.encoding import encode_rows

    row = Row(place="here", text=text, text_pair=pair, label=None, query_id=None)
    items = encode_rows([row], tokenizer, 48, has_token_types=model.config.type_vocab_size > 1)
    with torch.inference_mode():
        return model(**items.inputs()).logits[0]


def scores(folder: Path, text: str, pair: str | None, **options: Any) -> dict[str, float]:
    classify = pipeline("text-classification", model=str(folder))
    given = text if pair is None else {"text": text, "text_pair": pair}
    return {each["label"]: each["score"] for each in classify(given, truncation=True, top_k=None, **options)}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, real_text: list[str]) -> tuple[Any, Any]:
    return put_pairs(tmp_path_factory.mktemp("pairs"), real_text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "roberta", *OTHERS])
def test_a_teacher_of_any_class_teaches_students_that_pipelines_load(
    name: str, tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    teacher = put_teacher(tmp_path / "teacher", name, tiny_bert, id2label={0: "no", 1: "yes"})
    spec, corpus = pairs
    request = data_task(tmp_path / "data", teacher, corpus, corpus_spec=spec)
    assert request.teacher.task == "text_classification" and request.teacher.can_be_inherited == (name not in OTHERS)
    summary, model = TASK.prepare(request), TASK.load_teacher(teacher)
    [quality, *_] = [TASK.compute_targets(each, model) for each in targets_tasks(request, summary.num_sequences)]
    data = TASK.load_data(Path(request.folder))
    assert held_out_quality(TASK, model, data).loss_nats == pytest.approx(quality.entropy_nats, abs=1e-5)
    trained = evaluate_task(request, SMALL, initialization="random", num_steps=2)
    assert evaluate_candidate(trained, model, data).loss_nats > quality.entropy_nats

    folder = exported(tmp_path, teacher, spec.columns)
    for text, pair in (("Return it.", None), ("", "The list."), (LONG, "y"), ("x", LONG)):
        expected = logits(folder, text, pair).softmax(-1).tolist()
        found = scores(folder, text, pair)
        assert [found["no"], found["yes"]] == pytest.approx(expected, abs=1e-5)
    assert facts_of(folder).max_sequence_length <= 48


@pytest.mark.parametrize("kind", KINDS)
def test_labels_and_what_they_mean_are_kept(kind: str, tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]) -> None:
    teacher = put_teacher(tmp_path / "teacher", "bert", tiny_bert, **KINDS[kind])
    folder = exported(tmp_path, teacher, pairs[0].columns)
    before, after = (AutoConfig.from_pretrained(each) for each in (teacher, folder))
    assert (before.id2label, before.problem_type) == (after.id2label, after.problem_type)
    assert after.label2id == {name: index for index, name in before.id2label.items()}
    raw = logits(folder, "Return it.", "The list.")
    assert list(scores(folder, "Return it.", "The list.", function_to_apply="none").values()) == pytest.approx(
        sorted(raw.tolist(), reverse=True), abs=1e-5
    )
    applied = {"inference": raw.softmax(-1), "several": raw.sigmoid(), "reranker": raw.sigmoid(), "regression": raw}
    found = scores(folder, "Return it.", "The list.")
    assert [found[after.id2label[i]] for i in range(len(raw))] == pytest.approx(applied[kind].tolist(), abs=1e-5)


@pytest.mark.slow
def test_a_student_of_inference_works_in_the_zero_shot_pipeline(
    tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    teacher = put_teacher(tmp_path / "teacher", "bert", tiny_bert, **KINDS["inference"])
    folder = exported(tmp_path, teacher, pairs[0].columns)
    choose = pipeline("zero-shot-classification", model=str(folder))
    assert choose.entailment_id == 0
    found = choose("Return it.", candidate_labels=["lists", "strings"])
    expected = torch.stack([logits(folder, "Return it.", f"This example is {each}.")[0] for each in found["labels"]])
    assert found["scores"] == pytest.approx(expected.softmax(0).tolist(), abs=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_usage_on_the_card_runs(kind: str, tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]) -> None:
    folder = exported(tmp_path, put_teacher(tmp_path / "teacher", "bert", tiny_bert, **KINDS[kind]), pairs[0].columns)
    blocks = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf8"), re.DOTALL)
    assert len(blocks) == (1 if kind == "several" else 2)
    for block in blocks:
        if "sentence_transformers" in block:
            pytest.importorskip("sentence_transformers", reason="no dependency of OSE's; its users have it")
        exec(block.replace("this directory", str(folder)), {})


@pytest.mark.parametrize("stated", [None, "torch.nn.modules.linear.Identity"])
@pytest.mark.parametrize("kind", ["reranker", "regression"])
@pytest.mark.parametrize("name", ["bert", "mpnet"])
def test_a_cross_encoder_gives_the_logits_or_what_the_teacher_has_it_make_of_them(
    name: str, kind: str, stated: str | None, tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    sentence_transformers = pytest.importorskip(
        "sentence_transformers", reason="no dependency of OSE's; its users have it"
    )
    more = {"sentence_transformers": {"activation_fn": stated, "version": "5.0.0"}} if stated else {}
    teacher = put_teacher(tmp_path / "teacher", name, tiny_bert, **KINDS[kind], **more)
    folder = exported(tmp_path, teacher, pairs[0].columns)
    texts = [("Return it.", "The list."), ("", "x"), (LONG, "y")]
    raw = torch.cat([logits(folder, *each) for each in texts])
    expected = raw if stated or kind == "regression" else raw.sigmoid()
    found = sentence_transformers.CrossEncoder(str(folder), device="cpu").predict(texts)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.slow
def test_what_cross_encoders_are_told_is_kept_of_teachers_of_any_class(
    tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    told = {"activation_fn": "torch.nn.modules.activation.Sigmoid", "version": "5.0.0"}
    for name in ("bert", "distilbert"):
        teacher = put_teacher(tmp_path / name / "teacher", name, tiny_bert, num_labels=1, sentence_transformers=told)
        folder = exported(tmp_path / name, teacher, pairs[0].columns)
        assert json.loads((folder / "config.json").read_text())["sentence_transformers"] == told


def test_no_file_names_a_folder_of_the_machine(tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]) -> None:
    folder = exported(
        tmp_path, put_teacher(tmp_path / "teacher", "bert", tiny_bert, **KINDS["several"]), pairs[0].columns
    )
    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "tokenizer_config.json", MANIFEST, "README.md"} <= names
    for file in folder.iterdir():
        content = file.read_bytes()
        for path in (tmp_path, tiny_bert, Path.home(), Path.cwd(), "/tmp", "/home"):
            assert str(path).encode() not in content, (file.name, path)


@pytest.mark.slow
def test_padding_on_the_left_and_files_that_pad_and_cut_do_not_matter(
    tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    teacher = put_teacher(tmp_path / "teacher", "bert", tiny_bert, id2label={0: "no", 1: "yes"})
    tokenizer = json.loads((teacher / "tokenizer.json").read_text())
    cut = {"direction": "Left", "max_length": 5, "strategy": "OnlyFirst", "stride": 0}
    padded = {"strategy": {"Fixed": 40}, "direction": "Left", "pad_to_multiple_of": None}
    padded |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"}
    (teacher / "tokenizer.json").write_text(json.dumps(tokenizer | {"truncation": cut, "padding": padded}))
    settings = json.loads((teacher / "tokenizer_config.json").read_text())
    (teacher / "tokenizer_config.json").write_text(json.dumps(settings | {"padding_side": "left"}))
    folder = exported(tmp_path, teacher, pairs[0].columns)
    classify = pipeline("text-classification", model=str(folder), top_k=None)
    texts = ["Return it.", "A text of some more words than that one has.", ""]
    for text, found in zip(texts, classify(texts, batch_size=3, padding=True), strict=True):
        by_name = {each["label"]: each["score"] for each in found}
        expected = logits(folder, text).softmax(-1).tolist()
        assert [by_name["no"], by_name["yes"]] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_an_export_says_how_long_a_text_may_be_where_the_teachers_tokenizer_does_not(
    name: str, tiny_bert: Path, tmp_path: Path, pairs: tuple[Any, Any]
) -> None:
    """A cross-encoder would take the size of the position table, of which RoBERTa has two rows more than it uses."""
    teacher = put_teacher(tmp_path / "teacher", name, tiny_bert)
    settings = json.loads((teacher / "tokenizer_config.json").read_text())
    del settings["model_max_length"]
    (teacher / "tokenizer_config.json").write_text(json.dumps(settings))
    folder = exported(tmp_path, teacher, pairs[0].columns)
    assert AutoTokenizer.from_pretrained(folder).model_max_length == 48
    assert sum(scores(folder, LONG, LONG).values()) == pytest.approx(1)
