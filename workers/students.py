"""Full distillation, export and latency of one student: work that is done once, in the caller's process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from ose.artifacts.files import atomic_file
from ose.core.architecture import Architecture
from ose.core.inheritance import InheritanceSpec
from ose.core.job import DistillationResult, Job
from ose.core.measurement import LatencyMeasurement, LatencyProtocol
from ose.core.recipe import DistillationSpec
from ose.data.corpus import pack_corpus
from ose.measure.latency import measure_latency
from ose.models.teacher import load_masked_lm, load_tokenizer
from ose.pipelines.distill import DistillationRun, distill, save_student
from ose.pipelines.evaluate import held_out_quality, initial_student
from ose.pipelines.export import ExportSummary, export_student, student_card
from ose.pipelines.export import fill_mask as fill_mask_of
from ose.pipelines.search_data import load_search_data
from ose.pipelines.trainee import StepLosses


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRequest:
    """A candidate to be distilled fully.

    Attributes:
        inheritance: What the student keeps of its teacher, whoever decided it.
        search_data: The folder whose held-out targets the candidates of the search were judged on.
        packed_text: Folder of packed corpora, shared by all distillations.
        folder: Checkpoints, logs and the student.
        threads: Threads of one operation.
        device: Where to train.
    """

    job: Job
    architecture: Architecture
    inheritance: InheritanceSpec
    spec: DistillationSpec
    search_data: Path
    packed_text: Path
    folder: Path
    threads: int
    device: str = "cpu"


def run_distillation(request: DistillationRequest, on_step: Callable[[int, StepLosses], None]) -> DistillationResult:
    """Distil, save the student, and judge it on the targets that the search used.

    Raises:
        OseError: Whatever went wrong; run it again to go on from the last checkpoint.
    """
    quieten()
    torch.set_num_threads(request.threads)
    job, search = request.job, request.job.spec.search
    teacher, tokenizer = load_masked_lm(job.teacher.path), load_tokenizer(job.teacher.path)
    start = request.spec.initialization or search.initialization
    student = initial_student(teacher, request.architecture, start, search.seed, request.inheritance.layers)
    run = DistillationRun(
        spec=request.spec,
        teacher=teacher.to(request.device),
        student=student.to(request.device),
        tokenizer=tokenizer,
        sequences=packed_text(job, tokenizer, request.packed_text),
        folder=request.folder,
    )
    wall_time_s = distill(run, on_step)
    quality = held_out_quality(student, load_search_data(request.search_data))
    path = save_student(run, {"job": job.id, "architecture": asdict(request.architecture)})
    return DistillationResult(
        student_path=str(path),
        num_steps=request.spec.steps,
        loss_nats=quality.loss_nats,
        loss_stderr_nats=quality.loss_stderr_nats,
        masked_lm_loss_nats=quality.masked_lm_loss_nats,
        masked_accuracy=quality.masked_accuracy,
        masked_accuracy_stderr=quality.masked_accuracy_stderr,
        wall_time_s=wall_time_s,
    )


def packed_text(job: Job, tokenizer: PreTrainedTokenizerBase, folder: Path) -> np.ndarray:
    """The job's whole training text as packed sequences, memory-mapped; packed once for each text."""
    spec = job.spec.corpus
    content = [job.teacher.digest, job.corpus.digest, spec.sequence_length, spec.text_field, spec.max_tokens]
    file = folder / f"{hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24]}.npy"
    if not file.exists():
        sequences = pack_corpus(job.corpus, spec, tokenizer, "train")
        with atomic_file(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, sequences, allow_pickle=False)
    sequences = np.load(file, mmap_mode="r")
    return sequences


def write_export(student: Path, output: Path, manifest: dict[str, Any]) -> ExportSummary:
    """Export a distilled student with its manifest and card. See `export_student`."""
    quieten()
    return export_student(student, output, manifest, student_card(manifest))


def fill_mask(model: Path, text: str, count: int) -> list[tuple[str, float]]:
    """A model directory's likeliest fillings of the first mask. See `ose.pipelines.export.fill_mask`."""
    quieten()
    return fill_mask_of(model, text, count)


def latency_of_directory(path: Path, protocol: LatencyProtocol) -> LatencyMeasurement:
    """Measure a model directory in this process, which should have nothing else to do.

    Raises:
        TeacherError: There is no masked language model in `path`.
        DependencyError: The device is not there.
    """
    quieten()
    return measure_latency(load_masked_lm(path), protocol)


def quieten() -> None:
    """Keep transformers' progress bars and notices out of our own output."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
