"""Candidates bear the mark of their last change, so that readers need not read them all again.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """What is there counts as unchanged: it has not been looked at yet."""
    op.add_column("candidates", sa.Column("changed", sa.BigInteger, nullable=False, server_default="0"))
    op.create_index("ix_candidates_job_id_changed", "candidates", ["job_id", "changed"])
