"""Jobs and distillations have owners, who take turns; and jobs can be deleted.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

from typing import Literal

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# Of older jobs only those are known that were submitted under a key; a server without tokens had callers of no token.
_OWNER = """
UPDATE jobs SET owner = (
    SELECT min(submissions.caller) FROM submissions JOIN tokens ON tokens.id = submissions.caller
    WHERE submissions.job_id = jobs.id
)
"""


def upgrade() -> None:
    """The token that submitted an older job under a key owns it; all others are this machine's."""
    op.add_column("jobs", sa.Column("owner", sa.String(64)))
    op.create_index("ix_jobs_owner", "jobs", ["owner"])
    op.execute(_OWNER)
    _change_distillations()
    op.create_table(
        "turns",
        sa.Column("queue", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("turn", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("queue", "owner", name="pk_turns"),
    )
    op.create_table(
        "leftovers",
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("teacher", sa.String(64)),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leftovers"),
    )


def _change_distillations() -> None:
    """SQLite gives the highest number of a table again once its row is deleted, unless the table says otherwise."""
    recreate: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    options = {"sqlite_autoincrement": True}
    with op.batch_alter_table("distillations", recreate=recreate, table_kwargs=options) as table:
        table.add_column(sa.Column("owner", sa.String(64)))
