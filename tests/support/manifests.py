"""Manifests as `ose.students.manifest` makes them, for cards and exports."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from builders import architecture, job_spec

from ose.core.plain import plain
from ose.core.recipe import DistillationSpec
from ose.core.spec import Columns, CorpusSpec
from ose.students.manifest import without_folders

SHAPE = architecture(2, 2, 16, 24)


def manifest(metrics: dict[str, dict[str, Any]], columns: Columns | None = None, **changes: Any) -> dict[str, Any]:
    """Of a student that has its teacher's figures; `teacher` and `student` add to those."""
    corpus = CorpusSpec(train=("/home/ann/text/train.csv",), columns=columns or Columns())
    measured = {
        "latency_p50_ms": 5.25,
        "latency_p90_ms": 6.125,
        "latency_flagged": False,
        "loss_nats": 3.5,
        "loss_stderr_nats": 0.25,
        "metrics": metrics,
    }
    teacher = {"num_parameters": 1_234_567, "architecture": asdict(architecture(4, 4, 32, 64)), **measured}
    student = {"num_parameters": 54_321, "architecture": asdict(SHAPE), "flips": [], **measured}
    return {
        "job": {"name": "tiny search", "spec": without_folders(plain(job_spec(corpus=corpus)))},
        "corpus": {"train": ["train.csv"], "validation": []},
        "measured_on": {"num_targets": 400, "has_labels": corpus.columns.label is not None, "is_part_of_train": True},
        "distillation": {"spec": asdict(DistillationSpec()), "wall_time_s": 9.0},
        "latency": {"batch_size": 1, "sequence_length": 128, "dtype": "float32", "threads": 1},
        "device": "Example CPU (2 cores), torch 2.13.0",
        **changes,
        "teacher": {**teacher, "base_model": None, "licence": None, **changes.get("teacher", {})},
        "student": {**student, **changes.get("student", {})},
    }
