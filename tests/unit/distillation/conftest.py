from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import beyond
from distillations import SMALL, SPEC, Curve, NewRun
from searches import PLAIN_START

from ose.core.architecture import Architecture
from ose.core.messages import DataRequest
from ose.data.corpus import pack_corpus
from ose.distillation.run import DistillationRun, distill
from ose.extraction.initial import initial_student
from ose.tasks.fill_mask.batches import batches_of
from ose.tasks.fill_mask.teacher import load_masked_lm, load_tokenizer
from ose.tasks.registry import load_task


@pytest.fixture(scope="module")
def sequences(search: DataRequest) -> np.ndarray:
    tokenizer = load_tokenizer(search.teacher.path)
    return pack_corpus(search.corpus, search.corpus_spec, tokenizer, "train")[:30]  # an epoch ends within a batch


@pytest.fixture
def new_run(search: DataRequest, sequences: np.ndarray, tmp_path: Path) -> NewRun:
    teacher, tokenizer = load_masked_lm(search.teacher.path), load_tokenizer(search.teacher.path)

    def make(folder: str = "run", shape: Architecture = SMALL, **changes: Any) -> DistillationRun:
        spec = beyond(SPEC, **changes)
        return DistillationRun(
            task=load_task("fill_mask"),
            spec=spec,
            teacher=teacher,
            student=initial_student(teacher, shape, PLAIN_START),
            tokenizer=tokenizer,
            batches=batches_of(sequences, spec, tokenizer),
            folder=tmp_path / folder,
        )

    return make


@pytest.fixture
def uninterrupted(new_run: NewRun) -> tuple[Curve, dict[str, torch.Tensor]]:
    run, curve = new_run("uninterrupted"), Curve()
    distill(run, curve)
    return curve, run.student.state_dict()
