"""Distillations keep how often they were claimed without getting on, as jobs do.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Claims of before were not counted: each distillation begins with none."""
    op.add_column("distillations", sa.Column("num_claims", sa.Integer, nullable=False, server_default="0"))
    op.add_column("distillations", sa.Column("num_recorded", sa.BigInteger, nullable=False, server_default="0"))
