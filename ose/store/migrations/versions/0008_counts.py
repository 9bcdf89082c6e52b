"""Jobs keep the size of their space, and how often they were claimed without getting on.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Sizes of before stay unknown: a space of those days may take a minute to count."""
    op.add_column("jobs", sa.Column("space_size", sa.BigInteger))
    op.add_column("jobs", sa.Column("num_claims", sa.Integer, nullable=False, server_default="0"))
    op.add_column("jobs", sa.Column("num_recorded", sa.BigInteger, nullable=False, server_default="0"))
