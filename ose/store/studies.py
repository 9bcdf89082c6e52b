"""A place beside the tables for those of optuna, which have names that ours have too (`trials`, `alembic_version`)."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, func, select, text

from ose.artifacts.private import private_file
from ose.store.transactions import Transactions

_SUFFIX = "studies"


def make_studies_url(transactions: Transactions) -> str:
    """Make the place, unless it is there: a file beside a SQLite file, another schema of a PostgreSQL database.

    Raises:
        StoreError: The database cannot be reached, or does not let this user make a schema.
        StorageError: The file cannot be made.
    """
    url = transactions.url
    if url.get_backend_name() == "sqlite":
        file = _beside(Path(str(url.database)))
        private_file(file)
        return _to_text(url.set(database=str(file)))
    with transactions.write() as connection:
        schema = f"{connection.scalar(select(func.current_schema()))}_{_SUFFIX}"
        connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    own = url.query.get("options", "")
    return _to_text(url.update_query_dict({"options": f"{own} -csearch_path={schema}".strip()}))


def _beside(file: Path) -> Path:
    return file.absolute().with_stem(f"{file.stem}-{_SUFFIX}")


def _to_text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
