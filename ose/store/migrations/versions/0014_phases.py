"""Parts of a training are called phases: in candidates, and in the specs of extensions.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_JOBS = sa.table("jobs", sa.column("id"), sa.column("spec"))


def upgrade() -> None:
    """Rename what is there. Whatever cannot be read is left as it is."""
    op.alter_column("candidates", "earlier_legs", new_column_name="earlier_phases")
    connection = op.get_bind()
    extensions = sa.select(_JOBS).where(_JOBS.c.spec.like('%"legs"%'))
    for job_id, spec in connection.execute(extensions).all():
        connection.execute(_JOBS.update().where(_JOBS.c.id == job_id).values(spec=_renamed(spec)))


def _renamed(text: str) -> str:
    """The spec with its candidates' phases; the very same text if it cannot be read, or extends nothing."""
    try:
        spec = json.loads(text)
        candidates = spec["extends"]["candidates"]
        spec["extends"]["candidates"] = [
            {"phases" if name == "legs" else name: value for name, value in each.items()} for each in candidates
        ]
    except (ValueError, TypeError, KeyError, AttributeError):
        return text
    return json.dumps(spec, separators=(",", ":"), ensure_ascii=False)
