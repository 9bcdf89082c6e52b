"""Candidates carry the standard error of their divergence from the teacher.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """What is there stays unknown: the teacher's entropy of each sequence was not stored."""
    op.add_column("candidates", sa.Column("divergence_stderr_nats", sa.Float))
