"""A search with students of a family that only tests know: one line in the table."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from families import know_distilbert, teacher_of
from transformers import AutoModelForMaskedLM, AutoTokenizer

from ose import Workspace
from ose.core.job import JobStatus
from ose.errors import TeacherError


@pytest.fixture
def job(job: dict[str, Any], tiny_roberta: Path, tmp_path: Path) -> dict[str, Any]:
    """The small job with a DistilBERT as teacher."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_roberta)
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": 64, "pad_token_id": tokenizer.pad_token_id}
    teacher_of("distilbert", 4, 4, 32, 64, **sizes).save_pretrained(tmp_path / "distilbert")
    tokenizer.save_pretrained(tmp_path / "distilbert")
    inheritance = {"tokens": 512, "layers": "elimination"}
    return job | {
        "teacher": {"model": str(tmp_path / "distilbert"), "as_is": True},  # it has learnt nothing
        "search": job["search"] | {"inheritance": inheritance},
    }


def test_a_family_is_one_line_in_the_table(
    job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    know_distilbert(monkeypatch)
    with Workspace(tmp_path / "home") as workspace:
        submitted = workspace.submit(job)
        assert workspace.run(submitted.id).status is JobStatus.SUCCEEDED
        rows = workspace.leaderboard(submitted.id).rows
        assert sorted(str(row.architecture) for row in rows) == [
            "distilbert-L1-A4-H16-I64",
            "distilbert-L1-A4-H32-I64",
            "distilbert-L2-A4-H16-I64",
            "distilbert-L2-A4-H32-I64",
        ]
        assert all(row.loss_nats is not None and row.latency_p50_ms and row.layers for row in rows)
        assert {"architecture.family"} <= set(workspace.leaderboard(submitted.id).to_frame().columns)
        workspace.distill(submitted.id, candidate=1, changes={"steps": 2})
        exported = workspace.export(submitted.id, tmp_path / "student", candidate=1)
        assert exported.architecture == next(row.architecture for row in rows if row.candidate == 1)
        student = AutoModelForMaskedLM.from_pretrained(tmp_path / "student")
        assert type(student).__name__ == "DistilBertForMaskedLM"
        assert next(row for row in rows if row.candidate == 1).num_parameters == student.num_parameters()


def test_a_family_without_a_head_for_the_task_is_refused_at_submission(
    job: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import distilbert_family.shape

    know_distilbert(monkeypatch)
    monkeypatch.setattr(distilbert_family.shape, "HEADS", ("question_answering",))
    message = "students of the family distilbert have no head for fill_mask; there are heads for question_answering"
    with Workspace(tmp_path / "home") as workspace, pytest.raises(TeacherError, match=message):
        workspace.submit(job)


def test_the_same_teacher_teaches_students_of_berts_build_where_no_family_knows_it(
    job: dict[str, Any], tmp_path: Path
) -> None:
    with Workspace(tmp_path / "home") as workspace:
        submitted = workspace.submit(job | {"search": job["search"] | {"initialization": "random", "inheritance": {}}})
        assert submitted.teacher.architecture == dataclasses.replace(submitted.teacher.architecture, family="bert")
        assert not submitted.teacher.can_be_inherited
