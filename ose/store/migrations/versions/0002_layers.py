"""Candidates say which of the teacher's layers they keep.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Candidates from before have left the choice to their job, which is what nothing says."""
    op.add_column("candidates", sa.Column("layers", sa.Text))
