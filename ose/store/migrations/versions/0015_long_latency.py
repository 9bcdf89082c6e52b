"""Candidates carry the latency at a second length.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """What is there was timed at one length."""
    op.add_column("candidates", sa.Column("latency_long_p50_ms", sa.Float))
