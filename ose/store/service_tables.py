"""The tables of a shared service, beside those of `ose.store.tables`."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Integer,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

from ose.core.access import Scope
from ose.core.architecture import Architecture
from ose.core.exports import ExportFile
from ose.store.columns import EncodedColumn, OneOf, PathText, UtcTime
from ose.store.tables import metadata

SUBMISSIONS = Table(
    "submissions",
    metadata,
    Column("caller", String(64), nullable=False),
    Column("key", String(255), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("job_id", ForeignKey("jobs.id"), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("caller", "key"),
)

EXPORTS = Table(
    "exports",
    metadata,
    Column("id", ForeignKey("distillations.id"), primary_key=True),
    Column("job_id", ForeignKey("jobs.id"), nullable=False, index=True),
    Column("candidate_number", Integer, nullable=False),
    Column("architecture", EncodedColumn(Architecture), nullable=False),
    Column("folder", PathText, nullable=False),
    Column("files", EncodedColumn(tuple[ExportFile, ...]), nullable=False),
    Column("max_logit_difference", Float, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)

TOKENS = Table(
    "tokens",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("scope", OneOf(Scope), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("expires_at", UtcTime),
    Column("revoked_at", UtcTime),
)

# Of each queue: in which order owners were last served. An owner is a token, or, without a name, this machine.
TURNS = Table(
    "turns",
    metadata,
    Column("queue", String(16), nullable=False),
    Column("owner", String(64), nullable=False),
    Column("turn", BigInteger, nullable=False),
    PrimaryKeyConstraint("queue", "owner"),
)

# Files of deleted jobs that may still be there.
LEFTOVERS = Table(
    "leftovers",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("teacher", String(64)),
    Column("since", UtcTime, nullable=False),
)
