import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import (
    NOW,
    architecture,
    distillation_result,
    evaluation,
    job_spec,
    latency,
    teacher_facts,
    teacher_quality,
)

from ose.core.job import Candidate, CandidateStatus, CorpusFacts, Distillation, DistillationStatus, Job, JobStatus
from ose.core.measurement import LabelFlips, Metric
from ose.core.recipe import DistillationSpec
from ose.core.spec import Columns, CorpusSpec, Hyperparameters, TeacherSpec
from ose.store.base import Store
from ose.students.manifest import student_manifest, without_folders

HOME = "/home/ann"
FLIPS = (LabelFlips(label=1, num_items=4, num_flipped=1, share=Metric(value=0.25, stderr=0.1), most_often=0),)


def manifest(student: Path, config: dict[str, Any], task: str = "text_classification") -> dict[str, Any]:
    corpus = CorpusSpec(
        train=(f"{HOME}/text/*.csv",), validation=("hf:owner/text:test",), columns=Columns(text="text", label="kind")
    )
    facts = CorpusFacts(
        train=(f"{HOME}/text/a.csv",),
        validation=("hf:owner/text:test",),
        digest="c" * 64,
        size_bytes=1,
        root=f"{HOME}/text",
    )
    job = Job(
        id="job-1",
        status=JobStatus.SUCCEEDED,
        spec=job_spec(corpus=corpus, teacher=TeacherSpec(model=f"{HOME}/models/teacher")),
        spec_hash="5" * 64,
        teacher=replace(teacher_facts(), path=f"{HOME}/models/teacher", task=task),
        corpus=facts,
        created_at=NOW,
        teacher_quality=teacher_quality(num_targets=320),
        teacher_latency=latency(),
    )
    candidate = Candidate(
        id=1,
        job_id="job-1",
        number=3,
        status=CandidateStatus.SUCCEEDED,
        architecture=architecture(),
        hyperparameters=Hyperparameters(),
        num_steps=10,
        num_parameters=1000,
        num_encoder_parameters=800,
        flops=1,
        latency=latency(),
        evaluation=evaluation(),
    )
    distillation = Distillation(
        id=1,
        job_id="job-1",
        candidate_number=3,
        status=DistillationStatus.SUCCEEDED,
        spec=DistillationSpec(),
        folder=f"{HOME}/results/1",
        created_at=NOW,
        result=distillation_result(student_path=str(student), flips=FLIPS),
    )
    (student / "config.json").write_text(json.dumps(config))
    store = cast("Store", SimpleNamespace(candidate=lambda job_id, number: candidate))
    return student_manifest(store, job, distillation)


def test_no_folder_stands_in_it(tmp_path: Path) -> None:
    found = manifest(tmp_path, {"num_labels": 2})
    text = json.dumps(found)
    assert HOME not in text and str(tmp_path) not in text and "/text" not in text.replace("owner/text", "")
    assert found["job"]["spec"]["corpus"]["train"] == ["*.csv"] and found["corpus"]["train"] == ["a.csv"]
    assert found["corpus"]["validation"] == ["hf:owner/text:test"]
    assert found["teacher"]["path"] == found["job"]["spec"]["teacher"]["model"] == "teacher"


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ({"id2label": {str(i): f"topic {i}" for i in reversed(range(12))}}, [f"topic {i}" for i in range(12)]),
        ({}, ["LABEL_0", "LABEL_1"]),
        ({"num_labels": 1}, ["LABEL_0"]),
    ],
    ids=["names", "default", "one"],
)
def test_labels_stand_in_the_order_of_the_outputs(config: dict[str, Any], labels: list[str], tmp_path: Path) -> None:
    found = manifest(tmp_path, config | {"problem_type": None})
    assert found["labels"] == labels and found["problem_type"] is None


def test_of_a_vocabulary_head_there_are_no_labels(tmp_path: Path) -> None:
    assert "labels" not in manifest(tmp_path, {"id2label": {"0": "LABEL_0"}}, "fill_mask")


def test_figures_stand_with_what_they_are_of(tmp_path: Path) -> None:
    found = manifest(tmp_path, {"num_labels": 2})
    assert found["measured_on"] == {"num_targets": 320, "has_labels": True, "is_part_of_train": False}
    [flip] = found["student"]["flips"]
    assert (flip["label"], flip["num_items"], flip["num_flipped"], flip["most_often"]) == (1, 4, 1, 0)
    assert flip["share"] == {"value": 0.25, "stderr": 0.1}
    assert found["student"]["metrics"]["masked_accuracy"]["value"] == 0.35


def test_of_paths_the_last_part_is_left() -> None:
    given = {"a": ["/x/y.txt", "~/z"], "b": {"c": "owner/model", "d": 3, "e": None}}
    assert without_folders(given) == {"a": ["y.txt", "z"], "b": {"c": "owner/model", "d": 3, "e": None}}
