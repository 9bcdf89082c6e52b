"""A small real search: its text, and the tasks that fill and use its folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from builders import beyond

from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec
from ose.core.job import CorpusFacts, TeacherFacts
from ose.core.measurement import TeacherQuality
from ose.core.messages import CalibrationRequest, DataRequest, EvaluationRequest, TargetsRequest
from ose.core.recipe import Precision
from ose.core.spec import CorpusSpec, Hyperparameters, TeacherSpec
from ose.extraction.initial import Start
from ose.inputs.corpora import inspect_corpus
from ose.inputs.teachers import inspect_teacher
from ose.tasks.fill_mask.search_data import compute_targets, prepare_data
from ose.tasks.fill_mask.teacher import load_masked_lm

SEQUENCE_LENGTH = 32
NUM_SEQUENCES = 40
HELD_OUT_SEQUENCES = 12
SHARD_SEQUENCES = 16
"""The third shard is a short one."""

LEADING = InheritanceSpec(layers="distilbert", heads="leading", neurons="leading", hidden="leading", correction="none")
"""The parts of the teacher as they lie: nothing has to be measured first."""

PLAIN_START = Start(initialization="inherit", inheritance=LEADING, seed=0, calibration=None, task="fill_mask")


def write_corpus(folder: Path, documents: list[str]) -> CorpusFacts:
    sides = {"train": [d for i, d in enumerate(documents) if i % 5], "validation": documents[::5]}
    for side, kept in sides.items():
        (folder / f"{side}.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in kept))
    return inspect_corpus(corpus_spec(folder))


def corpus_spec(folder: Path) -> CorpusSpec:
    return CorpusSpec(
        train=(str(folder / "train.jsonl"),),
        validation=(str(folder / "validation.jsonl"),),
        sequence_length=SEQUENCE_LENGTH,
    )


def facts_of(teacher: Path) -> TeacherFacts:
    return inspect_teacher(TeacherSpec(model=str(teacher)))


def data_task(folder: Path, teacher: Path, corpus: CorpusFacts, **changes: Any) -> DataRequest:
    values = {
        "id": "data",
        "folder": str(folder),
        "teacher": facts_of(teacher),
        "corpus": corpus,
        "corpus_spec": corpus_spec(Path(corpus.train[0]).parent),
        "num_sequences": NUM_SEQUENCES,
        "held_out_sequences": HELD_OUT_SEQUENCES,
        "seed": 0,
    }
    return DataRequest(**{**values, **changes})


def targets_tasks(
    data: DataRequest, num_sequences: int = NUM_SEQUENCES, precision: Precision = "float32"
) -> list[TargetsRequest]:
    """The held-out task, then the shards'."""
    firsts = range(0, num_sequences, SHARD_SEQUENCES)
    shards = [(None, 0, HELD_OUT_SEQUENCES)]
    shards += [(i, first, min(first + SHARD_SEQUENCES, num_sequences)) for i, first in enumerate(firsts)]
    return [
        TargetsRequest(
            id=f"targets-{shard}",
            folder=data.folder,
            teacher=data.teacher,
            shard=shard,
            first=first,
            last=last,
            seed=data.seed,
            precision=precision,
        )
        for shard, first, last in shards
    ]


def calibration_request(
    folder: Path, search: DataRequest, *, num_sequences: int = 8, eliminates_layers: bool = False
) -> CalibrationRequest:
    return CalibrationRequest(
        id="calibration",
        folder=str(folder),
        teacher=search.teacher,
        corpus=search.corpus,
        corpus_spec=search.corpus_spec,
        num_sequences=num_sequences,
        eliminates_layers=eliminates_layers,
    )


def fill(data: DataRequest) -> TeacherQuality:
    """Do everything that a job does before its first candidate."""
    teacher = load_masked_lm(data.teacher.path)
    summary = prepare_data(data)
    results = [compute_targets(task, teacher) for task in targets_tasks(data, summary.num_sequences)]
    assert results[0] is not None
    return results[0]


def evaluate_task(data: DataRequest, architecture: Architecture, **changes: Any) -> EvaluationRequest:
    hyperparameters = {"batch_size": 8, **changes.pop("hyperparameters", {})}
    values = {
        "id": "trial",
        "folder": data.folder,
        "teacher": data.teacher,
        "architecture": architecture,
        "hyperparameters": beyond(Hyperparameters(), **hyperparameters),
        "num_steps": 3,
        "initialization": "inherit",
        "inheritance": LEADING,
        "calibration": None,
        "precision": "float32",
        "seed": 0,
        "weight_clip": None,
    }
    return EvaluationRequest(**{**values, **changes})
