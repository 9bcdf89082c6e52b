"""What a candidate and its teacher are measured by, as the score takes it."""

from __future__ import annotations

import math
from dataclasses import replace

from ose.core.job import Candidate, Job
from ose.core.measurement import Evaluation, LatencyMeasurement, TeacherQuality
from ose.core.score import Measures, ScoreRule
from ose.core.significance import Judged, Scale, paired_difference
from ose.errors import EvaluationError


def measures(num_parameters: int, latency: LatencyMeasurement, evaluation: Evaluation | None = None) -> Measures:
    """A candidate's objectives; before its evaluation without a loss, which is NaN."""
    return Measures(
        num_parameters=num_parameters,
        latency_ms=latency.p50_ms,
        latency_stderr_ms=latency.p50_stderr_ms,
        loss_nats=evaluation.loss_nats if evaluation else math.nan,
        loss_stderr_nats=evaluation.loss_stderr_nats if evaluation else math.nan,
        divergence_stderr_nats=evaluation.divergence_stderr_nats if evaluation else None,
    )


def with_divergence_stderr(evaluation: Evaluation, teacher: TeacherQuality) -> Evaluation:
    """An evaluation with the standard error of its divergence from the teacher; as it is if that cannot be told."""
    entropies = teacher.sequence_entropies_nats
    if len(entropies) != len(evaluation.sequence_losses_nats) or len(entropies) < 2:
        return evaluation
    divergence = paired_difference(evaluation.sequence_losses_nats, entropies)
    return replace(evaluation, divergence_stderr_nats=divergence.stderr_nats)


def scale_of(job: Job, rule: ScoreRule | None = None) -> Scale:
    """What a job's candidates are scored against under a rule, its own by default.

    Raises:
        EvaluationError: The teacher has not been measured yet.
    """
    entropies = job.teacher_quality.sequence_entropies_nats if job.teacher_quality else ()
    return Scale(teacher=teacher_measures(job), rule=rule or job.spec.score, sequence_entropies_nats=entropies)


def judged(candidate: Candidate, scale: Scale) -> Judged | None:
    """What a candidate is compared by; None if it has not been judged."""
    if candidate.latency is None or candidate.evaluation is None:
        return None
    return Judged(
        architecture=candidate.architecture,
        measures=measures(candidate.num_parameters, candidate.latency, candidate.evaluation),
        sequence_losses_nats=candidate.evaluation.sequence_losses_nats,
        scale=scale,
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
