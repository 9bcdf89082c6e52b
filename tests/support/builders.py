"""Valid values to start from; every builder takes what a test cares about by keyword."""

from __future__ import annotations

from copy import copy
from datetime import UTC, datetime
from typing import Any

from ose.core.architecture import Architecture, EmbeddingShape
from ose.core.job import CorpusFacts, DistillationResult, FailureReport, TeacherFacts
from ose.core.measurement import DeviceFingerprint, Evaluation, LatencyMeasurement, Metric, TeacherQuality
from ose.core.search_space import SearchSpace
from ose.core.spec import CorpusSpec, Hyperparameters, JobSpec, TeacherSpec
from ose.families.counts import FamilyCounts
from ose.store.new_rows import NewCandidate, NewJob

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

EMBEDDING = EmbeddingShape(vocab_size=1000, max_position_embeddings=130)
COUNTS = FamilyCounts(EMBEDDING)


def architecture(layers: int = 2, heads: int = 2, hidden: int = 64, intermediate: int = 128) -> Architecture:
    return Architecture(
        num_hidden_layers=layers, num_attention_heads=heads, hidden_size=hidden, intermediate_size=intermediate
    )


def beyond(start: Any, **values: Any) -> Any:
    """A copy with numbers that no job may ask for, to see what becomes of a worker that meets them."""
    changed = copy(start)
    for name, value in values.items():
        object.__setattr__(changed, name, value)
    return changed


def search_space(**changes: Any) -> SearchSpace:
    axes = {
        "num_hidden_layers": (1, 2),
        "num_attention_heads": (2, 4),
        "hidden_size": (32, 64),
        "intermediate_size": (64, 128),
    }
    return SearchSpace(**{"name": "tiny", **axes, **changes})


def job_spec(**changes: Any) -> JobSpec:
    values = {
        "name": "tiny",
        "teacher": TeacherSpec(model="teacher"),
        "corpus": CorpusSpec(train=("text.txt",)),
        "space": search_space(),
    }
    return JobSpec(**{**values, **changes})


def teacher_facts(**changes: Any) -> TeacherFacts:
    values = {
        "path": "/teacher",
        "digest": "d" * 64,
        "model_type": "roberta",
        "architecture": architecture(4, 4, 128, 512),
        "embedding": EMBEDDING,
        "max_sequence_length": 128,
        "num_parameters": 1_000_000,
        "num_encoder_parameters": 800_000,
        "can_be_inherited": True,
    }
    return TeacherFacts(**{**values, **changes})


def new_job(job_id: str = "job-1", **changes: Any) -> NewJob:
    values = {
        "id": job_id,
        "spec": job_spec(),
        "spec_hash": "5" * 64,
        "teacher": teacher_facts(),
        "corpus": CorpusFacts(train=("/text.txt",), validation=(), digest="c" * 64, size_bytes=1000),
        "created_at": NOW,
    }
    return NewJob(**{**values, **changes})


def new_candidate(number: int = 1, **changes: Any) -> NewCandidate:
    shape = changes.pop("architecture", architecture())
    parameters = COUNTS.parameters(shape)
    values = {
        "number": number,
        "architecture": shape,
        "hyperparameters": Hyperparameters(),
        "num_steps": 10,
        "num_parameters": parameters.total,
        "num_encoder_parameters": parameters.encoder,
        "flops": COUNTS.flops(shape, 128),
    }
    return NewCandidate(**{**values, **changes})


def metrics(masked_lm_loss_nats: float, masked_accuracy: float) -> dict[str, Metric]:
    return {
        "masked_lm_loss_nats": Metric(value=masked_lm_loss_nats, stderr=0.05),
        "masked_accuracy": Metric(value=masked_accuracy, stderr=0.01),
    }


def evaluation(loss_nats: float = 4.5, **changes: Any) -> Evaluation:
    values = {
        "loss_nats": loss_nats,
        "loss_stderr_nats": 0.05,
        "metrics": metrics(5.0, 0.2),
        "sequence_losses_nats": (loss_nats - 0.1, loss_nats + 0.1),
        "training_losses_nats": (6.0, 5.5),
        "num_steps": 2,
        "wall_time_s": 3.0,
        "training_time_s": 2.0,
        "peak_memory_bytes": 10**9,
    }
    return Evaluation(**{**values, **changes})


def fingerprint(**changes: Any) -> DeviceFingerprint:
    values = {
        "machine": "x86_64",
        "processor": "Example CPU",
        "num_cores": 2,
        "accelerator": None,
        "operating_system": "Linux 6.1",
        "python": "3.11.7",
        "runtime": "torch 2.13.0",
    }
    return DeviceFingerprint(**{**values, **changes})


def latency(p50_ms: float = 5.0, **changes: Any) -> LatencyMeasurement:
    values = {
        "p10_ms": 0.9 * p50_ms,
        "p50_ms": p50_ms,
        "p90_ms": 1.1 * p50_ms,
        "samples_ms": (0.9 * p50_ms, p50_ms, 1.1 * p50_ms),
        "load_before": 0.1,
        "load_after": 0.2,
        "is_flagged": False,
        "fingerprint": fingerprint(),
    }
    return LatencyMeasurement(**{**values, **changes})


def teacher_quality(**changes: Any) -> TeacherQuality:
    values = {
        "entropy_nats": 3.0,
        "entropy_stderr_nats": 0.05,
        "metrics": metrics(3.1, 0.4),
        "num_targets": 500,
    }
    return TeacherQuality(**{**values, **changes})


def failure(code: str = "out_of_memory", **changes: Any) -> FailureReport:
    values = {"code": code, "message": "no memory left", "traceback": "Traceback ...", "is_retryable": True}
    return FailureReport(**{**values, **changes})


def distillation_result(**changes: Any) -> DistillationResult:
    values = {
        "student_path": "/student",
        "num_steps": 100,
        "loss_nats": 3.5,
        "loss_stderr_nats": 0.04,
        "metrics": metrics(3.6, 0.35),
        "wall_time_s": 60.0,
    }
    return DistillationResult(**{**values, **changes})
