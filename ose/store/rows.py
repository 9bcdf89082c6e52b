"""Rows to dataclasses and back, and the joins that a dataclass is made of."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from math import isnan
from typing import Any

from sqlalchemy import Row, Select, and_, select

from ose.core.access import Owner
from ose.core.architecture import Architecture
from ose.core.job import Candidate, CandidateStatus, Distillation, FailureReport, Job, JobStatus, Trial
from ose.core.measurement import Evaluation, LatencyMeasurement
from ose.core.score import FORMULA_VERSION, Score
from ose.errors import InvalidInputError, UnreadableError
from ose.store.new_rows import NewCandidate, NewJob
from ose.store.pages import CandidateRow
from ose.store.service_tables import TOKENS
from ose.store.tables import CANDIDATES, DISTILLATIONS, JOBS, LATENCIES, TRIALS

AnyRow = Row[Any]

SELECT_JOBS: Select[Any] = (
    select(JOBS, LATENCIES.c.measurement.label("teacher_latency"), TOKENS.c.name.label("owner_name"))
    .outerjoin_from(JOBS, LATENCIES, LATENCIES.c.id == JOBS.c.teacher_latency_id)
    .outerjoin(TOKENS, TOKENS.c.id == JOBS.c.owner)
)

SELECT_CANDIDATES: Select[Any] = (
    select(CANDIDATES, LATENCIES.c.measurement.label("latency"), TRIALS.c.evaluation)
    .outerjoin_from(CANDIDATES, LATENCIES, LATENCIES.c.id == CANDIDATES.c.latency_id)
    .outerjoin(TRIALS, and_(TRIALS.c.candidate_id == CANDIDATES.c.id, TRIALS.c.evaluation.is_not(None)))
    .order_by(CANDIDATES.c.number)
)

STATUS_NAMES = ("id", "status", *(f"failure_{field.name}" for field in fields(FailureReport)))
"""Columns of a job that say how it stands."""

_ROW_NAMES = tuple(field.name for field in fields(CandidateRow) if field.name in CANDIDATES.c)
_ARCHITECTURE_NAMES = tuple(field.name for field in fields(Architecture))

SELECT_CANDIDATE_ROWS: Select[Any] = select(
    *(CANDIDATES.c[name] for name in _ROW_NAMES),
    *(CANDIDATES.c[name] for name in _ARCHITECTURE_NAMES),
    *(CANDIDATES.c[f"failure_{field.name}"] for field in fields(FailureReport)),
)

SELECT_TRIALS: Select[Any] = select(*(column for column in TRIALS.c if column is not TRIALS.c.evaluation))

SELECT_DISTILLATIONS: Select[Any] = select(DISTILLATIONS)


def to_job(row: AnyRow) -> Job:
    """A row of SELECT_JOBS."""
    return Job(**{**_same_named(Job, row), "owner": _to_owner(row)}, failure=to_failure(row))


def to_candidate(row: AnyRow) -> Candidate:
    """A row of SELECT_CANDIDATES."""
    return Candidate(**_same_named(Candidate, row), architecture=_to_architecture(row), failure=to_failure(row))


def to_candidate_row(row: AnyRow) -> CandidateRow:
    """A row of SELECT_CANDIDATE_ROWS, taken apart by place: pages are made of many."""
    own, shape = len(_ROW_NAMES), len(_ROW_NAMES) + len(_ARCHITECTURE_NAMES)
    architecture = _architecture(dict(zip(_ARCHITECTURE_NAMES, row[own:shape], strict=True)))
    values = dict(zip(_ROW_NAMES, row[:own], strict=True))
    return CandidateRow(**values, architecture=architecture, failure=to_failure(row))


def to_trial(row: AnyRow) -> Trial:
    """A row of SELECT_TRIALS."""
    return Trial(**_same_named(Trial, row), failure=to_failure(row))


def to_distillation(row: AnyRow) -> Distillation:
    """A row of SELECT_DISTILLATIONS."""
    return Distillation(**_same_named(Distillation, row), failure=to_failure(row))


def from_job(job: NewJob) -> dict[str, Any]:
    """Columns of a job that no coordinator has claimed yet."""
    return {"name": job.spec.name, "status": JobStatus.PENDING, **_values(job)}


def from_candidate(job_id: str, candidate: NewCandidate) -> dict[str, Any]:
    """Columns of a candidate without a trial."""
    return {
        "job_id": job_id,
        "status": CandidateStatus.PENDING,
        "num_attempts": 0,
        **_values(candidate, but="architecture"),
        **_values(candidate.architecture),
    }


def from_trial(trial: Trial) -> dict[str, Any]:
    """Columns of a trial that runs."""
    return _values(trial, but="failure")


def from_latency(measurement: LatencyMeasurement) -> dict[str, Any]:
    """The figures of a latency that candidates carry."""
    return {
        "latency_p50_ms": measurement.p50_ms,
        "latency_p50_stderr_ms": measurement.p50_stderr_ms,
        "latency_p90_ms": measurement.p90_ms,
        "latency_long_p50_ms": measurement.long_p50_ms,
        "latency_ratio": measurement.ratio,
        "latency_ratio_stderr": measurement.ratio_stderr,
        "latency_flagged": measurement.is_flagged,
    }


def from_score(score: Score | None) -> dict[str, Any]:
    """A score that candidates carry."""
    return {
        "score": score.value if score else None,
        "score_stderr": known_number(score.stderr) if score else None,
        "score_formula_version": FORMULA_VERSION if score else None,
    }


def from_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """The figures of an evaluation that candidates carry."""
    return {
        "loss_nats": evaluation.loss_nats,
        "loss_stderr_nats": known_number(evaluation.loss_stderr_nats),
        "divergence_stderr_nats": evaluation.divergence_stderr_nats,
        "metrics": evaluation.metrics,
        "wall_time_s": evaluation.wall_time_s,
        "teacher_layers": evaluation.teacher_layers,
    }


def known_number(value: float) -> float | None:
    """NaN, which the standard error of a single sequence is, as NULL: SQLite makes it one, PostgreSQL does not."""
    return None if isnan(value) else value


def from_failure(failure: FailureReport | None) -> dict[str, Any]:
    """The columns of a failure; None empties them."""
    return {
        f"failure_{field.name}": getattr(failure, field.name) if failure else None for field in fields(FailureReport)
    }


def _to_architecture(row: AnyRow) -> Architecture:
    return _architecture(_same_named(Architecture, row))


def _architecture(sizes: dict[str, Any]) -> Architecture:
    try:
        return Architecture(**sizes)
    except InvalidInputError as error:
        raise UnreadableError(f"the database holds an architecture that is none: {error}") from error


def _to_owner(row: AnyRow) -> Owner | None:
    return None if row.owner is None else Owner(id=row.owner, name=row.owner_name or "")


def to_failure(row: AnyRow) -> FailureReport | None:
    """The failure in a row that has its columns."""
    if row.failure_code is None:
        return None
    return FailureReport(**{field.name: row._mapping[f"failure_{field.name}"] for field in fields(FailureReport)})


def _same_named(kind: type[Any], row: AnyRow) -> dict[str, Any]:
    """The fields of `kind` whose column has their name."""
    values = row._asdict()
    return {name: values[name] for name in _field_names(kind) if name in values}  # type: ignore[arg-type] # a class can be hashed


@cache
def _field_names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def _values(value: Any, but: str = "") -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in fields(value) if field.name != but}
