"""What Alembic runs: the revisions, in the transaction that ose.store.migrate has begun."""

from __future__ import annotations

from alembic import context

from ose.store.tables import metadata

# SQLite cannot alter most of a table; batch mode copies it instead, and is plain ALTER elsewhere.
context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
