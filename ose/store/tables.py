"""The tables. A change here needs a revision in migrations/versions; a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    literal_column,
    text,
)

from ose.core.architecture import BERT
from ose.core.job import (
    CandidateStatus,
    CorpusFacts,
    DistillationResult,
    DistillationStatus,
    JobStatus,
    TeacherFacts,
    TrialStatus,
)
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import Evaluation, LatencyMeasurement, Metric, TeacherQuality
from ose.core.recipe import DistillationSpec
from ose.core.reference import Reference
from ose.core.spec import Hyperparameters, JobSpec
from ose.store.change_sequence import writers_mark
from ose.store.columns import EncodedColumn, OneOf, PathText, UtcTime, failure_columns

# Constraints are named by one rule, so that a later revision can drop one on every database.
metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


JOBS = Table(
    "jobs",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", OneOf(JobStatus), nullable=False),
    Column("spec", EncodedColumn(JobSpec), nullable=False),
    Column("spec_hash", String(64), nullable=False),
    Column("teacher", EncodedColumn(TeacherFacts), nullable=False),
    Column("corpus", EncodedColumn(CorpusFacts), nullable=False),
    Column("created_at", UtcTime, nullable=False, index=True),
    Column("started_at", UtcTime),
    Column("finished_at", UtcTime),
    Column("teacher_quality", EncodedColumn(TeacherQuality)),
    Column("teacher_latency_id", ForeignKey("latencies.id")),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcTime),
    *failure_columns(),
    Column("owner", String(64), index=True),  # a token's id; of jobs from this machine itself there is none
    Column("space_size", BigInteger),
    Column("num_claims", Integer, nullable=False, server_default="0"),
    Column("num_recorded", BigInteger, nullable=False, server_default="0"),
    Index(None, "status", "created_at"),
)

_LIMITED = ("latency_p50_ms", "num_parameters", "loss_nats")

CANDIDATES = Table(
    "candidates",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", OneOf(CandidateStatus), nullable=False),
    Column("num_hidden_layers", Integer, nullable=False),
    Column("num_attention_heads", Integer, nullable=False),
    Column("hidden_size", Integer, nullable=False),
    Column("intermediate_size", Integer, nullable=False),
    Column("family", String(64), nullable=False, server_default=BERT),
    Column("layers", EncodedColumn(LayerChoice)),
    Column("hyperparameters", EncodedColumn(Hyperparameters), nullable=False),
    Column("num_steps", Integer, nullable=False),
    Column("earlier_phases", EncodedColumn(tuple[int, ...]), nullable=False, server_default="[]"),
    Column("continues", Integer),
    Column("num_parameters", BigInteger, nullable=False),
    Column("num_encoder_parameters", BigInteger, nullable=False),
    Column("flops", BigInteger, nullable=False),
    Column("num_attempts", Integer, nullable=False),
    Column("latency_id", ForeignKey("latencies.id")),
    # The latency's and the scored trial's figures stand here too, so that a page is read from one table.
    Column("latency_p50_ms", Float),
    Column("latency_p50_stderr_ms", Float),
    Column("latency_p90_ms", Float),
    Column("latency_long_p50_ms", Float),
    Column("latency_ratio", Float),
    Column("latency_ratio_stderr", Float),
    Column("latency_flagged", Boolean),
    Column("loss_nats", Float),
    Column("loss_stderr_nats", Float),
    Column("divergence_stderr_nats", Float),
    Column("metrics", EncodedColumn(Mapping[str, Metric]), nullable=False, server_default="{}"),
    Column("wall_time_s", Float),
    Column("teacher_layers", EncodedColumn(tuple[int, ...])),
    Column("score", Float),
    Column("score_stderr", Float),
    Column("score_formula_version", Integer),
    Column("rejection", Text),
    *failure_columns(),
    Column(
        "changed",
        BigInteger,
        nullable=False,
        server_default="0",
        onupdate=writers_mark(literal_column("candidates.job_id")),
    ),
    UniqueConstraint("job_id", "number"),
    Index(None, "job_id", "changed"),
    # Each order has an index, with what limits ask for in it, so that no row is looked at in vain.
    Index("ix_candidates_by_score", "job_id", "status", text("score DESC"), "number", *_LIMITED),
    Index("ix_candidates_by_loss", "job_id", "loss_nats", "number", "status", *_LIMITED[:2]),
    Index("ix_candidates_by_latency", "job_id", "latency_p50_ms", "number", "status", *_LIMITED[1:]),
    Index("ix_candidates_by_parameters", "job_id", "num_parameters", "number", "status", *_LIMITED[::2]),
)

TRIALS = Table(
    "trials",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("candidate_id", ForeignKey("candidates.id"), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("status", OneOf(TrialStatus), nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("evaluation", EncodedColumn(Evaluation)),
    *failure_columns(),
)

# Whatever goes wrong in the code above it, the database itself never takes a second result.
_is_scored = TRIALS.c.evaluation.is_not(None)
Index("uq_trials_scored", TRIALS.c.candidate_id, unique=True, sqlite_where=_is_scored, postgresql_where=_is_scored)

LATENCIES = Table(
    "latencies",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("shape_key", Text, nullable=False),
    Column("protocol_key", Text, nullable=False),
    Column("fingerprint_key", Text, nullable=False),
    Column("p50_ms", Float, nullable=False),
    Column("p90_ms", Float, nullable=False),
    Column("measurement", EncodedColumn(LatencyMeasurement), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index(None, "shape_key", "protocol_key", "fingerprint_key"),
)

REFERENCES = Table(
    "reference_rows",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("reference", EncodedColumn(Reference), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("job_id", "name"),
)

DISTILLATIONS = Table(
    "distillations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job_id", String(64), nullable=False),
    Column("candidate_number", Integer, nullable=False),
    Column("status", OneOf(DistillationStatus), nullable=False),
    Column("spec", EncodedColumn(DistillationSpec), nullable=False),
    Column("folder", PathText, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("finished_at", UtcTime),
    Column("result", EncodedColumn(DistillationResult)),
    *failure_columns(),
    # Of those that a coordinator runs. One that somebody runs in the foreground has no lease.
    Column("num_workers", Integer, nullable=False, server_default="1"),
    Column("lease_owner", Text),
    Column("lease_expires_at", UtcTime),
    Column("owner", String(64)),
    Column("num_claims", Integer, nullable=False, server_default="0"),
    Column("num_recorded", BigInteger, nullable=False, server_default="0"),
    ForeignKeyConstraint(["job_id", "candidate_number"], ["candidates.job_id", "candidates.number"]),
    Index(None, "job_id"),
    Index("uq_distillations_folder", "folder", unique=True),  # two that ask for the same get the same
    sqlite_autoincrement=True,  # a process that was away must not take another one for the deleted one that it ran
)
