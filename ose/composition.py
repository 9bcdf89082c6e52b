"""Composition root: which workers do the work of a workspace.

The only module that names `ose.workers`, and it does so lazily: submitting and reading load neither torch nor ray.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ose.artifacts.private import private_folder
from ose.coordinator.backend import Backend
from ose.coordinator.cache_keys import CALIBRATIONS, calibration_key, search_data_key
from ose.core.exports import ExportSummary
from ose.core.finetuning import FinetuningReport, FinetuningRequest
from ose.core.job import Candidate, DistillationResult, Job, TeacherFacts, inheritance_of
from ose.core.measurement import LatencyProtocol, ModelLatency
from ose.core.model_report import EvaluationQuestion, EvaluationReport
from ose.core.progress import Progress, step_reporter
from ose.core.quantization import OnnxRequest, OnnxSummary
from ose.core.recipe import DistillationSpec
from ose.core.spec import WorkersSpec
from ose.core.teacher_report import TeacherReport
from ose.inputs.space_size import num_candidates
from ose.limits import operator_limits
from ose.settings import Settings


@dataclass(frozen=True, slots=True)
class Wiring:
    """A workspace's way to those who work for it.

    Args:
        settings: Where the files lie, and which cluster is joined.
        progress: Told what they are doing.
    """

    settings: Settings
    progress: Progress

    @property
    def artifacts(self) -> Path:
        """Folder of search data, checkpoints and students, made for its owner alone."""
        private_folder(self.settings.artifacts)
        return self.settings.artifacts

    def backend(self, job: Job) -> Backend:
        """Start the workers that a job asks for."""
        workers = job.spec.workers
        if workers.uses_ray:
            from ose.workers.ray.entry import start_ray_backend

            fitting = self._fitting(workers, job, num_candidates(job.spec, job.teacher))
            return start_ray_backend(fitting, self.settings.ray_address)
        from ose.workers.inline import InlineBackend

        return InlineBackend(workers)

    def distill(
        self, workers: int, job: Job, candidate: Candidate, spec: DistillationSpec, folder: Path
    ) -> DistillationResult:
        """Distil a candidate fully, on so many workers, with its files in `folder`."""
        from ose.workers.foreground import FullDistillation, run_distillation

        each = WorkersSpec(count=workers, cpus=job.spec.workers.cpus, gpus=1 if job.spec.workers.gpus else 0)
        if workers > 1:
            each = self._fitting(each, job, workers)
        all_threads = job.spec.workers.count * each.cpus
        request = FullDistillation(
            job=job,
            architecture=candidate.architecture,
            inheritance=inheritance_of(job, candidate, spec.layers),
            spec=spec,
            calibration=self.artifacts / CALIBRATIONS / calibration_key(job),
            search_data=self.artifacts / "search-data" / search_data_key(job),
            packed_text=self.artifacts / "packed-text",
            folder=folder,
            threads=each.cpus if workers > 1 else min(all_threads, operator_limits().max_threads),
            device="cuda" if each.gpus else "cpu",
        )
        self.progress.stage(f"Distilling {candidate.architecture}", spec.all_steps)
        on_step = step_reporter(self.progress, spec.general_steps)
        if each.count == 1:
            return run_distillation(request, on_step)
        from ose.workers.ray.entry import distill_on_ray

        return distill_on_ray(request, each, self.settings.ray_address, on_step)

    def finetune(self, request: FinetuningRequest) -> FinetuningReport:
        """Train a model on labels. See `ose.workers.tuning.run_finetuning`."""
        from ose.workers.tuning import run_finetuning

        return run_finetuning(request, self.progress)

    def export_onnx(self, request: OnnxRequest) -> OnnxSummary:
        """Write a model as ONNX. See `ose.workers.onnx_export.run_onnx_export`."""
        from ose.workers.onnx_export import run_onnx_export

        return run_onnx_export(request, self.progress)

    def _fitting(self, workers: WorkersSpec, job: Job, num_tasks: int) -> WorkersSpec:
        """As many of the workers asked for as there is work and room for; results do not depend on how many."""
        from ose.coordinator.capacity import most_workers

        count, reason = most_workers(workers, job.teacher, num_tasks, is_local=self.settings.ray_address is None)
        if count < workers.count:
            self.progress.say(f"{count} of the {workers.count:,} workers asked for: {reason}")
        return replace(workers, count=count)


def write_export(student: Path, output: Path, manifest: dict[str, Any]) -> ExportSummary:
    """Write a distilled student as a directory that plain `transformers` loads."""
    from ose.workers import foreground

    return foreground.write_export(student, output, manifest)


def evaluate(task: str, question: EvaluationQuestion, sequence_length: int | None) -> EvaluationReport:
    """See `ose.workers.tuning.run_evaluation`."""
    from ose.workers.tuning import run_evaluation

    return run_evaluation(task, question, sequence_length)


def fill_mask(model: Path, text: str, count: int) -> list[tuple[str, float]]:
    """See `ose.workers.foreground.fill_mask`."""
    from ose.workers import foreground

    return foreground.fill_mask(model, text, count)


def look_at_teacher(teacher: TeacherFacts) -> TeacherReport:
    """See `ose.workers.foreground.look_at_teacher`."""
    from ose.workers import foreground

    return foreground.look_at_teacher(teacher)


def latencies_of_models(
    model: Path, reference: Path | None, inputs: Sequence[tuple[int, int]], protocol: LatencyProtocol
) -> tuple[ModelLatency, ...]:
    """See `ose.workers.foreground.latencies_of_models`."""
    from ose.workers import foreground

    return foreground.latencies_of_models(model, reference, inputs, protocol)
