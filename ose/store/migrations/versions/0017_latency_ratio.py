"""Candidates carry how long they take in times of their teacher, with its error.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """What is there was not timed beside its teacher, and has none."""
    op.add_column("candidates", sa.Column("latency_ratio", sa.Float))
    op.add_column("candidates", sa.Column("latency_ratio_stderr", sa.Float))
