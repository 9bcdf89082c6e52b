"""Candidates carry the figures that lists show and order by, and jobs are found by their state.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_FLOATS = (
    "latency_p50_ms",
    "latency_p50_stderr_ms",
    "latency_p90_ms",
    "loss_stderr_nats",
    "masked_lm_loss_nats",
    "masked_accuracy",
    "wall_time_s",
)

_INDEXES: dict[str, list[Any]] = {
    "by_score": ["job_id", "status", sa.text("score DESC"), "number", "latency_p50_ms", "num_parameters", "loss_nats"],
    "by_loss": ["job_id", "loss_nats", "number", "status", "latency_p50_ms", "num_parameters"],
    "by_latency": ["job_id", "latency_p50_ms", "number", "status", "num_parameters", "loss_nats"],
    "by_parameters": ["job_id", "num_parameters", "number", "status", "latency_p50_ms", "loss_nats"],
}

_MEASURED = """
SELECT candidates.id, latencies.measurement, trials.evaluation FROM candidates
LEFT JOIN latencies ON latencies.id = candidates.latency_id
LEFT JOIN trials ON trials.candidate_id = candidates.id AND trials.evaluation IS NOT NULL
WHERE latencies.id IS NOT NULL OR trials.id IS NOT NULL
"""


def upgrade() -> None:
    """The figures of what is there are taken from its measurements."""
    for name in _FLOATS:
        op.add_column("candidates", sa.Column(name, sa.Float))
    op.add_column("candidates", sa.Column("latency_flagged", sa.Boolean))
    op.add_column("candidates", sa.Column("teacher_layers", sa.Text))
    _fill()
    for name, columns in _INDEXES.items():
        op.create_index(f"ix_candidates_{name}", "candidates", columns)
    op.create_index("ix_jobs_status_created_at", "jobs", ["status", "created_at"])


def _fill() -> None:
    names = [*_FLOATS, "latency_flagged", "teacher_layers"]
    assignments = ", ".join(f"{name} = :{name}" for name in names)
    change = sa.text(f"UPDATE candidates SET {assignments} WHERE id = :id")
    connection = op.get_bind()
    measured = connection.execute(sa.text(_MEASURED)).all()
    values = [{"id": id_, **_latency(latency), **_evaluation(evaluation)} for id_, latency, evaluation in measured]
    if values:
        connection.execute(change, values)


def _latency(text: str | None) -> dict[str, Any]:
    content = json.loads(text) if text else {}
    names = {"latency_p50_ms": "p50_ms", "latency_p90_ms": "p90_ms", "latency_flagged": "is_flagged"}
    figures = {ours: content.get(theirs) for ours, theirs in names.items()}
    return {**figures, "latency_p50_stderr_ms": _median_stderr(content) if text else None}


def _median_stderr(content: dict[str, Any]) -> float:
    """As LatencyMeasurement.p50_stderr_ms had it at this revision."""
    deviation = (content["p90_ms"] - content["p10_ms"]) / 2.563
    return float(1.253 * deviation / len(content["samples_ms"]) ** 0.5)


def _evaluation(text: str | None) -> dict[str, Any]:
    content = json.loads(text) if text else {}
    names = ("loss_stderr_nats", "masked_lm_loss_nats", "masked_accuracy", "wall_time_s")
    layers = content.get("teacher_layers")
    figures = {name: content.get(name) for name in names}
    figures = {name: None if value != value else value for name, value in figures.items()}  # no number is no figure
    return {**figures, "teacher_layers": json.dumps(layers, separators=(",", ":")) if layers is not None else None}
