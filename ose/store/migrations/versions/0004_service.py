"""What a shared service needs: submissions under keys, queued distillations, exports and tokens.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Of several in one folder, which a race may have made, the newest was found ever since.
_PART = """
UPDATE distillations SET folder = folder || '#' || id WHERE EXISTS
(SELECT 1 FROM distillations AS newer WHERE newer.folder = distillations.folder AND newer.id > distillations.id)
"""


def _time(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def upgrade() -> None:
    """Distillations from before were all run in the foreground, by one process each."""
    op.add_column("distillations", sa.Column("num_workers", sa.Integer, nullable=False, server_default="1"))
    op.add_column("distillations", sa.Column("lease_owner", sa.Text))
    op.add_column("distillations", _time("lease_expires_at"))
    op.execute(_PART)
    op.create_index("uq_distillations_folder", "distillations", ["folder"], unique=True)
    _create_submissions()
    _create_exports()
    _create_tokens()


def _create_submissions() -> None:
    op.create_table(
        "submissions",
        sa.Column("caller", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        _time("created_at", nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_submissions"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_submissions_job_id"),
    )


def _create_exports() -> None:
    op.create_table(
        "exports",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("candidate_number", sa.Integer, nullable=False),
        sa.Column("architecture", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("files", sa.Text, nullable=False),
        sa.Column("max_logit_difference", sa.Float, nullable=False),
        _time("created_at", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_exports"),
        sa.ForeignKeyConstraint(["id"], ["distillations.id"], name="fk_exports_id"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_exports_job_id"),
    )
    op.create_index("ix_exports_job_id", "exports", ["job_id"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        _time("created_at", nullable=False),
        _time("expires_at"),
        _time("revoked_at"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
    )
