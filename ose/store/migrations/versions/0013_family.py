"""Candidates name the family that they are of.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """All there are have BERT's build."""
    op.add_column("candidates", sa.Column("family", sa.String(64), nullable=False, server_default="bert"))
