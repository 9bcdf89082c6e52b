"""Reference rows of jobs have a table of their own: they are no candidates.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Jobs of before have none."""
    op.create_table(
        "reference_rows",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("job_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_reference_rows"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_reference_rows_job_id"),
        sa.UniqueConstraint("job_id", "name", name="uq_reference_rows_job_id_name"),
    )
