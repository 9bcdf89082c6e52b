"""Candidates are trained in legs, and one may go on with another.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Candidates from before were each trained in one leg, and for themselves."""
    op.add_column("candidates", sa.Column("earlier_legs", sa.Text, nullable=False, server_default="[]"))
    op.add_column("candidates", sa.Column("continues", sa.Integer))
