"""What a candidate and its teacher are measured by, as the score takes it."""

from __future__ import annotations

import math

from ose.core.job import Job
from ose.core.measurement import Evaluation, LatencyMeasurement
from ose.core.score import Measures
from ose.errors import EvaluationError


def measures(num_parameters: int, latency: LatencyMeasurement, evaluation: Evaluation | None = None) -> Measures:
    """A candidate's objectives; before its evaluation without a loss, which is NaN."""
    return Measures(
        num_parameters=num_parameters,
        latency_ms=latency.p50_ms,
        latency_stderr_ms=latency.p50_stderr_ms,
        loss_nats=evaluation.loss_nats if evaluation else math.nan,
        loss_stderr_nats=evaluation.loss_stderr_nats if evaluation else math.nan,
    )


def teacher_measures(job: Job) -> Measures:
    """The maximum point T. Its loss is its own entropy.

    Raises:
        EvaluationError: The teacher has not been measured yet.
    """
    if job.teacher_latency is None or job.teacher_quality is None:
        raise EvaluationError(f"the teacher of job {job.id} has not been measured yet")
    return Measures(
        num_parameters=job.teacher.num_parameters,
        latency_ms=job.teacher_latency.p50_ms,
        loss_nats=job.teacher_quality.entropy_nats,
    )
