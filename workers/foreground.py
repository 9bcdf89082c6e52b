"""Full distillation, export and latency of one student: work that is done once, in the caller's process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from ose.artifacts.scratch import ScratchFolder
from ose.coordinator.cache_keys import num_calibration_sequences
from ose.core.architecture import Architecture
from ose.core.exports import ExportSummary
from ose.core.inheritance import InheritanceSpec, Initialization
from ose.core.job import DistillationResult, FailureReport, Job, TeacherFacts
from ose.core.layer_choice import has_to_eliminate
from ose.core.measurement import LatencyProtocol, ModelLatency
from ose.core.messages import CalibrationRequest, LatencyReply, LatencyRequest
from ose.core.plain import plain
from ose.core.recipe import DistillationSpec
from ose.core.teacher_report import TeacherReport
from ose.data.unchanged import require_unchanged
from ose.distillation.curve import HeldOutCurve
from ose.distillation.module import StepLosses
from ose.distillation.run import DistillationRun, distill, save_student
from ose.errors import EvaluationError
from ose.extraction.calibrate import open_calibration, prepare_calibration
from ose.extraction.calibration import Calibration
from ose.extraction.initial import Start, initial_student
from ose.latency.any_model import save_for_latency
from ose.latency.probe import SubprocessLatencyProbe
from ose.runtimes.registry import runtime_package
from ose.runtimes.torch.export import export_student
from ose.tasks.base import StepBatches, Task
from ose.tasks.judging import held_out_quality
from ose.tasks.loading import tensors_left_out
from ose.tasks.registry import load_task
from ose.tasks.tensor_values import require_sound_values


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDistillation:
    """A candidate to be distilled fully.

    Attributes:
        inheritance: What the student keeps of its teacher.
        calibration: Folder of what is measured of the teacher for that; filled if it is not yet.
        search_data: The folder whose held-out targets the candidates of the search were judged on.
        packed_text: Folder of tokenised texts, shared by all distillations.
        folder: Checkpoints, logs and the student.
        threads: Threads of one operation.
        device: Where to train.
    """

    job: Job
    architecture: Architecture
    inheritance: InheritanceSpec
    spec: DistillationSpec
    calibration: Path
    search_data: Path
    packed_text: Path
    folder: Path
    threads: int
    device: str = "cpu"


def run_distillation(request: FullDistillation, on_step: Callable[[int, StepLosses], None]) -> DistillationResult:
    """Distil, save the student, and judge it on the targets that the search used.

    Raises:
        OseError: Whatever went wrong; run it again to go on from the last checkpoint.
    """
    run = _load(request)
    data = run.task.load_data(request.search_data)
    curve = HeldOutCurve(request.folder, run.task, run.student, data, request.spec)

    def on_step_and_curve(step: int, losses: StepLosses) -> None:
        on_step(step, losses)
        curve.at(step, is_last=step == request.spec.all_steps)

    wall_time_s = distill(run, on_step_and_curve)
    quality = held_out_quality(run.task, run.student, data)
    path = save_student(run, {"job": request.job.id, "architecture": plain(request.architecture)})
    return DistillationResult(
        student_path=str(path),
        num_steps=request.spec.all_steps,
        loss_nats=quality.loss_nats,
        loss_stderr_nats=quality.loss_stderr_nats,
        metrics=quality.metrics,
        wall_time_s=wall_time_s,
        sequence_losses_nats=quality.sequence_losses_nats,
        flips=quality.flips,
    )


def assist_distillation(request: FullDistillation) -> None:
    """Train along with a process that runs the distillation, as another one of its group.

    Raises:
        OseError: Whatever went wrong.
    """
    distill(_load(request), lambda *_: None)


def prepare_files(request: FullDistillation) -> None:
    """Pack the text and measure the teacher ahead of processes that would otherwise all do it at once.

    Raises:
        OseError: The text or the teacher cannot be read, or the files not be written.
    """
    quieten()
    require_unchanged(request.job.corpus)
    teacher = request.job.teacher
    task = load_task(teacher.task)
    tokenizer = task.load_tokenizer(teacher.path, teacher.digest)
    task.step_batches(request.job, request.spec, tokenizer, request.packed_text)
    _general_batches(request, task, tokenizer)
    if _needs_calibration(request):
        _calibration(request, task.load_teacher(teacher.path, teacher.digest))


def _load(request: FullDistillation) -> DistillationRun:
    quieten()
    torch.set_num_threads(request.threads)
    job = request.job
    require_unchanged(job.corpus)
    task = load_task(job.teacher.task)
    teacher = task.load_teacher(job.teacher.path, job.teacher.digest).to(torch.device(request.device))  # type: ignore[arg-type] # transformers wraps it
    tokenizer = task.load_tokenizer(job.teacher.path, job.teacher.digest)
    start = Start(
        initialization=_initialization(request),
        inheritance=request.inheritance,
        seed=job.spec.search.seed,
        calibration=_calibration(request, teacher) if _needs_calibration(request) else None,
        task=job.teacher.task,
    )
    student = initial_student(teacher, request.architecture, start)
    return DistillationRun(
        task=task,
        spec=request.spec,
        teacher=teacher,
        student=student,
        tokenizer=tokenizer,
        batches=task.step_batches(job, request.spec, tokenizer, request.packed_text),
        folder=request.folder,
        general=_general_batches(request, task, tokenizer),
    )


def _general_batches(request: FullDistillation, task: Task, tokenizer: PreTrainedTokenizerBase) -> StepBatches | None:
    if not request.spec.general_steps:
        return None
    return task.general_batches(request.job, request.spec, tokenizer, request.packed_text)


def _initialization(request: FullDistillation) -> Initialization:
    return request.spec.initialization or request.job.spec.search.initialization


def _needs_calibration(request: FullDistillation) -> bool:
    return _initialization(request) == "inherit" and request.inheritance.needs_calibration


def _calibration(request: FullDistillation, teacher: PreTrainedModel) -> Calibration:
    job = request.job
    measured = CalibrationRequest(
        id="calibration",
        folder=str(request.calibration),
        teacher=job.teacher,
        corpus=job.corpus,
        corpus_spec=job.spec.corpus,
        num_sequences=num_calibration_sequences(job.spec),
        eliminates_layers=has_to_eliminate(
            [request.inheritance.layers],
            job.teacher.architecture.num_hidden_layers,
            request.architecture.num_hidden_layers,
        ),
    )
    prepare_calibration(measured, teacher)
    return open_calibration(request.calibration).to(request.device)


def write_export(student: Path, output: Path, manifest: dict[str, Any]) -> ExportSummary:
    """Export a distilled student with its manifest and card. See `export_student`."""
    quieten()
    task = load_task(manifest["task"])
    return export_student(task, student, output, manifest, task.card(manifest))


def fill_mask(model: Path, text: str, count: int) -> list[tuple[str, float]]:
    """A model directory's likeliest fillings of the first mask."""
    quieten()
    return load_task("fill_mask").predict(model, text, count)


def latencies_of_models(
    model: Path, reference: Path | None, inputs: Sequence[tuple[int, int]], protocol: LatencyProtocol
) -> tuple[ModelLatency, ...]:
    """Measure a model, whole, beside another one or alone.

    Args:
        model: A directory that transformers loads.
        reference: Another one.
        inputs: Batch sizes and lengths, all in the same rounds.
        protocol: What else counts.

    Raises:
        TeacherError: One of them is no model that transformers knows.
        InvalidInputError: A length is beyond its positions.
        EvaluationError: It cannot be run so.
    """
    quieten()
    runtime, longest = runtime_package(protocol.runtime), max(length for _, length in inputs)
    with closing(ScratchFolder("latency")) as scratch, SubprocessLatencyProbe(protocol) as probe:
        probe.start()
        saved = [
            save_for_latency(path, scratch.path / name, runtime, protocol.dtype, longest)
            for path, name in ((reference or model, "reference"), (model, "model"))
        ]
        first, *others = saved if reference is not None else saved[:1]
        request = LatencyRequest(reference=first, models=tuple(others), inputs=tuple(inputs), protocol=protocol)
        reply = probe.measure(request)
    return tuple(_model_latencies(inputs, reply))


def _model_latencies(inputs: Sequence[tuple[int, int]], reply: LatencyReply) -> Iterator[ModelLatency]:
    found = reply.models[0] if reply.models else None
    if isinstance(found, FailureReport):
        raise EvaluationError(f"latency could not be measured: {found.message}")
    for index, (batch_size, length) in enumerate(inputs):
        alone = replace(reply.reference[index], ratio=None, ratio_stderr=None)
        yield ModelLatency(
            batch_size=batch_size,
            sequence_length=length,
            latency=alone if found is None else found[index],
            reference=None if found is None else alone,
        )


def look_at_teacher(teacher: TeacherFacts) -> TeacherReport:
    """Load a teacher as a job would, and say what is in it.

    Raises:
        TeacherError: It cannot be loaded whole, or has values that no trained model has.
    """
    quieten()
    task, folder = load_task(teacher.task), Path(teacher.path)
    model, tokenizer = task.load_teacher(folder), task.load_tokenizer(folder)
    values = require_sound_values(model, folder)
    return TeacherReport(
        task=teacher.task,
        model_type=teacher.model_type,
        architecture=str(teacher.architecture),
        num_parameters=teacher.num_parameters,
        unused=tensors_left_out(model, folder),
        largest_weight=values.largest,
        denormal_share=values.denormal_share,
        num_tokens=len(tokenizer),
    )


def quieten() -> None:
    """Keep transformers' progress bars and notices out of our own output."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
