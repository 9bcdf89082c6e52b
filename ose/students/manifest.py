"""The manifest of an exported student: where every number came from, without a folder of anybody's machine."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any

from ose.core.former_names import former_result
from ose.core.job import Candidate, Distillation, DistillationResult, Job, inheritance_of
from ose.core.layer_choice import MEASURED_RULES, LayerChoice, kept_layers
from ose.core.measurement import metrics_json
from ose.core.plain import plain
from ose.core.recipe import DistillationSpec
from ose.core.score import FORMULA_VERSION
from ose.families.coverage import notes_of
from ose.inputs.teacher_origin import base_model_of, licence_of
from ose.leaderboard.read import teacher_json
from ose.store.base import Store
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG


def student_manifest(store: Store, job: Job, distillation: Distillation) -> dict[str, Any]:
    """Where every number of an exported student came from."""
    candidate = store.candidate(job.id, distillation.candidate_number)
    result = distillation.result
    assert result is not None and candidate.latency is not None
    manifest = {
        "ose_version": version("ose"),
        "job": {"id": job.id, "name": job.name, "spec_hash": job.spec_hash, "spec": without_folders(plain(job.spec))},
        "corpus": _corpus(job),
        "notes": list(notes_of(job)),
        "task": job.teacher.task,
        "teacher": _teacher(job),
        "student": _student(job, candidate, distillation.spec, result),
        "measured_on": _measured_on(job),
        "search": {
            "loss_nats": candidate.evaluation.loss_nats if candidate.evaluation else None,
            "num_steps": candidate.num_steps,
            "score": candidate.score,
            "score_stderr": candidate.score_stderr,
            "formula_version": FORMULA_VERSION,
        },
        "distillation": {"spec": asdict(distillation.spec), "wall_time_s": result.wall_time_s},
        "latency": asdict(job.spec.latency),
        "device": str(candidate.latency.fingerprint),
        "latency_samples_ms": candidate.latency.samples_ms,
        "latency_cpu_samples_ms": candidate.latency.cpu_samples_ms,
        "teacher_latency_samples_ms": candidate.latency.reference_samples_ms,
        "teacher_latency_cpu_samples_ms": candidate.latency.reference_cpu_samples_ms,
    }
    return manifest | _head(job.teacher.task, Path(result.student_path))


def without_folders(value: Any) -> Any:
    """A plain value in which of each absolute path only its last part is left."""
    if isinstance(value, dict):
        return {name: without_folders(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(each) for each in value]
    is_path = isinstance(value, str) and value.startswith(("/", "~"))
    return PurePath(value).name if is_path else value


def _corpus(job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = without_folders(asdict(job.corpus))
    return {name: value for name, value in facts.items() if name != "root"}


def _teacher(job: Job) -> dict[str, Any]:
    shown = teacher_json(job)
    return shown | {
        "path": PurePath(shown["path"]).name,
        "base_model": base_model_of(job),
        "licence": licence_of(job),
    }


def _student(job: Job, candidate: Candidate, spec: DistillationSpec, result: DistillationResult) -> dict[str, Any]:
    assert candidate.latency is not None
    return {
        "candidate": candidate.number,
        "architecture": plain(candidate.architecture),
        "layers": _layers(job, candidate, spec),
        "hyperparameters": asdict(candidate.hyperparameters),
        "num_parameters": candidate.num_parameters,
        "num_encoder_parameters": candidate.num_encoder_parameters,
        "flops": candidate.flops,
        "latency_p50_ms": candidate.latency.p50_ms,
        "latency_p90_ms": candidate.latency.p90_ms,
        "latency_long_p50_ms": candidate.latency.long_p50_ms,
        "latency_ratio": candidate.latency.ratio,
        "latency_ratio_stderr": candidate.latency.ratio_stderr,
        "latency_stderr_ms": candidate.latency.absolute_stderr_ms,
        "latency_flagged": candidate.latency.is_flagged,
        "loss_nats": result.loss_nats,
        "loss_stderr_nats": result.loss_stderr_nats,
        "metrics": metrics_json(result.metrics),
        "flips": [asdict(each) for each in result.flips],
        **former_result(result.metrics),
    }


def _measured_on(job: Job) -> dict[str, Any]:
    """What metrics and losses are of: held-out items, with labels or by the teacher's answers alone."""
    return {
        "num_targets": job.teacher_quality.num_targets if job.teacher_quality else None,
        "has_labels": job.spec.corpus.columns.label is not None,
        "is_part_of_train": not job.corpus.validation,
    }


def _head(task: str, student: Path) -> dict[str, Any]:
    """Of a head with outputs of its own what they mean, in their order; those of a vocabulary head are tokens."""
    rules, place = task_rules(task), student / CONFIG
    if not rules.output_weights:
        return {}
    config = TeacherFolder(student).read_object(CONFIG)
    num_outputs, names = rules.num_outputs(config, place), config.get("id2label") or {}
    labels = [str(names.get(str(index), f"LABEL_{index}")) for index in range(num_outputs)]
    return {"labels": labels, "problem_type": config.get("problem_type")}


def _layers(job: Job, candidate: Candidate, spec: DistillationSpec) -> LayerChoice | None:
    """The teacher's layers that the student started from; the rule, where only measurements can tell which."""
    if (spec.initialization or job.spec.search.initialization) == "random":
        return None
    kept = candidate.evaluation.teacher_layers if candidate.evaluation else None
    asked = inheritance_of(job, candidate, spec.layers or kept).layers
    if asked in MEASURED_RULES:
        return asked
    return kept_layers(asked, job.teacher.architecture.num_hidden_layers, candidate.architecture.num_hidden_layers)
