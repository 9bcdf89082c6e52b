"""The first tables.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _failure() -> list[sa.Column[Any]]:
    return [
        sa.Column("failure_code", sa.String(64)),
        sa.Column("failure_message", sa.Text),
        sa.Column("failure_traceback", sa.Text),
        sa.Column("failure_is_retryable", sa.Boolean),
    ]


def _time(name: str, *, nullable: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Create everything."""
    _create_latencies()
    _create_jobs()
    _create_candidates()
    _create_trials()
    _create_distillations()


def _create_latencies() -> None:
    op.create_table(
        "latencies",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("shape_key", sa.Text, nullable=False),
        sa.Column("protocol_key", sa.Text, nullable=False),
        sa.Column("fingerprint_key", sa.Text, nullable=False),
        sa.Column("p50_ms", sa.Float, nullable=False),
        sa.Column("p90_ms", sa.Float, nullable=False),
        sa.Column("measurement", sa.Text, nullable=False),
        _time("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_latencies"),
    )
    op.create_index(
        "ix_latencies_shape_key_protocol_key_fingerprint_key",
        "latencies",
        ["shape_key", "protocol_key", "fingerprint_key"],
    )


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("spec_hash", sa.String(64), nullable=False),
        sa.Column("teacher", sa.Text, nullable=False),
        sa.Column("corpus", sa.Text, nullable=False),
        _time("created_at", nullable=False),
        _time("started_at"),
        _time("finished_at"),
        sa.Column("teacher_quality", sa.Text),
        sa.Column("teacher_latency_id", sa.Integer),
        sa.Column("lease_owner", sa.Text),
        _time("lease_expires_at"),
        *_failure(),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["teacher_latency_id"], ["latencies.id"], name="fk_jobs_teacher_latency_id"),
    )
    op.create_index("ix_jobs_created_at", "jobs", ["created_at"])


def _create_candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("num_hidden_layers", sa.Integer, nullable=False),
        sa.Column("num_attention_heads", sa.Integer, nullable=False),
        sa.Column("hidden_size", sa.Integer, nullable=False),
        sa.Column("intermediate_size", sa.Integer, nullable=False),
        sa.Column("hyperparameters", sa.Text, nullable=False),
        sa.Column("num_steps", sa.Integer, nullable=False),
        sa.Column("num_parameters", sa.BigInteger, nullable=False),
        sa.Column("num_encoder_parameters", sa.BigInteger, nullable=False),
        sa.Column("flops", sa.BigInteger, nullable=False),
        sa.Column("num_attempts", sa.Integer, nullable=False),
        sa.Column("latency_id", sa.Integer),
        sa.Column("loss_nats", sa.Float),
        sa.Column("score", sa.Float),
        sa.Column("score_stderr", sa.Float),
        sa.Column("score_formula_version", sa.Integer),
        sa.Column("rejection", sa.Text),
        *_failure(),
        sa.PrimaryKeyConstraint("id", name="pk_candidates"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_candidates_job_id"),
        sa.ForeignKeyConstraint(["latency_id"], ["latencies.id"], name="fk_candidates_latency_id"),
        sa.UniqueConstraint("job_id", "number", name="uq_candidates_job_id_number"),
    )


def _create_trials() -> None:
    op.create_table(
        "trials",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("candidate_id", sa.Integer, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        _time("started_at", nullable=False),
        _time("finished_at"),
        sa.Column("evaluation", sa.Text),
        *_failure(),
        sa.PrimaryKeyConstraint("id", name="pk_trials"),
        sa.ForeignKeyConstraint(["candidate_id"], ["candidates.id"], name="fk_trials_candidate_id"),
    )
    op.create_index("ix_trials_candidate_id", "trials", ["candidate_id"])
    is_scored = sa.text("evaluation IS NOT NULL")
    op.create_index(
        "uq_trials_scored", "trials", ["candidate_id"], unique=True, sqlite_where=is_scored, postgresql_where=is_scored
    )


def _create_distillations() -> None:
    op.create_table(
        "distillations",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("candidate_number", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        _time("created_at", nullable=False),
        _time("finished_at"),
        sa.Column("result", sa.Text),
        *_failure(),
        sa.PrimaryKeyConstraint("id", name="pk_distillations"),
        sa.ForeignKeyConstraint(
            ["job_id", "candidate_number"],
            ["candidates.job_id", "candidates.number"],
            name="fk_distillations_job_id_candidate_number",
        ),
    )
    op.create_index("ix_distillations_job_id", "distillations", ["job_id"])
