from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.job import TeacherFacts
from ose.core.presets import preset_spec
from ose.core.recipe import DistillationSpec
from ose.core.spec import JobSpec
from ose.errors import InvalidInputError, JobFileError, SearchSpaceError, TeacherError
from ose.inputs.consistency import check_job, check_recipe
from ose.inputs.job_file import parse_job
from ose.tasks.registry import TASKS

TEACHER = TeacherFacts(
    path="/teacher",
    digest="0",
    model_type="roberta",
    architecture=Architecture(num_hidden_layers=4, num_attention_heads=4, hidden_size=32, intermediate_size=64),
    embedding=EmbeddingShape(vocab_size=800, max_position_embeddings=130),
    max_sequence_length=128,
    num_parameters=1,
    num_encoder_parameters=1,
    can_be_inherited=True,
)
AXES = {
    "num_hidden_layers": [1, 4],
    "num_attention_heads": [2, 4],
    "hidden_size": [16, 32],
    "intermediate_size": [32, 64],
}


def job(space: dict[str, Any] | None = None, **parts: Any) -> JobSpec:
    corpus = {"train": ["text.txt"]} | parts.pop("corpus", {})
    content = {"name": "job", "teacher": {"model": "/teacher"}, "corpus": corpus, "space": AXES | (space or {})}
    return parse_job(content | parts, "/")


@pytest.mark.parametrize("column", ["label", "text_pair", "query_id"])
def test_a_job_with_a_column_that_its_task_does_not_read_is_refused(column: str):
    message = f"corpus.columns.{column} is given, but the task fill_mask reads text alone"
    with pytest.raises(JobFileError, match=message):
        check_job(job(corpus={"columns": {column: "a"}}), TEACHER)


def test_documents_are_no_rows_that_could_be_left_out():
    with pytest.raises(JobFileError, match=r"corpus\.skip_bad_rows is given, but the task fill_mask reads documents"):
        check_job(job(corpus={"skip_bad_rows": 0.1}), TEACHER)


@pytest.mark.parametrize(
    "spec",
    [
        job(),
        job(corpus={"columns": {"text": "body"}, "quotes": "literal"}),
        job({"num_attention_heads": [2, 16]}),
        job({"hidden_size": [32, 33]}),
        job({"hidden_size": [64]}, search={"initialization": "random"}),
        job(latency={"device": "cuda:1", "dtype": "bfloat16"}),
        job({"layers": ["influence", "top", [2], [0, 1, 2, 3]]}),
        job({"num_hidden_layers": [2]}, search={"inheritance": {"layers": [0, 3]}}, distillation={"layers": [1, 2]}),
        job({"num_hidden_layers": [2, 3], "layers": ["top"]}, search={"inheritance": {"layers": [0, 3]}}),
    ],
)
def test_a_job_that_its_teacher_can_serve_passes(spec: JobSpec):
    check_job(spec, TEACHER)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (job(corpus={"sequence_length": 129}), JobFileError, "corpus.sequence_length is 129, but the teacher takes at"),
        (job(latency={"sequence_length": 512}), JobFileError, "latency.sequence_length is 512, but the teacher takes"),
        (job(latency={"device": "tpu"}), JobFileError, "latency.device must be cpu, cuda or cuda:N, not 'tpu'"),
        (job(latency={"dtype": "int3"}), JobFileError, "latency.dtype must be one of float32, bfloat16, float16"),
        (job(latency={"runtime": "jax"}), JobFileError, "latency.runtime must be one of torch, onnxruntime, not 'jax'"),
        (job({"num_hidden_layers": [2, 6]}), SearchSpaceError, "num_hidden_layers up to 6, but its teacher has 4"),
        (
            job({"layers": [[4]]}),
            SearchSpaceError,
            "space 'inline': layers [4] are not in ascending order",
        ),
        (
            job({"layers": ["top"]}, search={"initialization": "random"}),
            SearchSpaceError,
            "space 'inline' has layers to keep, but search.initialization is random",
        ),
        (
            job(search={"inheritance": {"layers": [0]}}),
            SearchSpaceError,
            "search.inheritance.layers [0] are 1, but the student has 4",
        ),
        (
            job({"num_hidden_layers": [2]}, search={"inheritance": {"layers": [3, 0]}}),
            SearchSpaceError,
            "search.inheritance.layers [3, 0] are not in ascending order between 0 and 3",
        ),
        (job(distillation={"layers": []}), SearchSpaceError, "distillation.layers [] are not in ascending order"),
        (job({"hidden_size": [64]}), SearchSpaceError, "hidden_size up to 64, but its teacher has 32"),
        (job({"intermediate_size": [96]}), SearchSpaceError, "intermediate_size up to 96, but its teacher has 64"),
    ],
)
def test_a_job_that_its_teacher_cannot_serve_is_refused(spec: JobSpec, error: type[InvalidInputError], message: str):
    with pytest.raises(error) as caught:
        check_job(spec, TEACHER)
    assert message in str(caught.value)


def test_a_family_without_inheritance_asks_for_random_weights():
    teacher = dataclasses.replace(TEACHER, can_be_inherited=False, model_type="electra")
    with pytest.raises(SearchSpaceError, match="start from this electra teacher's weights; use"):
        check_job(job(), teacher)
    check_job(job(search={"initialization": "random"}), teacher)


def test_relations_are_checked_against_teacher_and_student_before_anything_is_loaded():
    student = Architecture(num_hidden_layers=2, num_attention_heads=2, hidden_size=20, intermediate_size=8)
    unlike = dataclasses.replace(TEACHER, model_type="distilbert")
    corpus = job().corpus
    check_recipe(preset_spec("minilm"), TEACHER, student, corpus)
    check_recipe(DistillationSpec(relation_heads=7), unlike, student, corpus)  # relations weigh nothing there
    with pytest.raises(InvalidInputError, match="relation_heads must divide"):
        check_recipe(preset_spec("minilm", relation_heads=8), TEACHER, student, corpus)
    with pytest.raises(TeacherError, match="does not find in a distilbert teacher"):
        check_recipe(preset_spec("minilm"), unlike, student, corpus)


RATE = """
from dataclasses import replace
from ose.tasks.fill_mask.rules import RULES
RULES = replace(RULES, name="rate", columns=("text", "score"))
"""


def test_a_task_that_reads_a_column_the_corpus_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "rate").mkdir()
    (tmp_path / "rate" / "rules.py").write_text(RATE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(TASKS, "rate", "rate")
    with pytest.raises(JobFileError, match="the task rate reads score beside the text"):
        check_job(job(), dataclasses.replace(TEACHER, task="rate"))
