"""Bring a database's tables up to date. Alembic is imported only when there is something to do."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ose.errors import StoreError
from ose.store.transactions import Transactions

MIGRATIONS = Path(__file__).parent / "migrations"

_VERSION_TABLE = "alembic_version"


def migrate(transactions: Transactions, folder: Path = MIGRATIONS, home: Path | None = None) -> None:
    """Upgrade an empty or older database to the newest revision, all or nothing.

    Args:
        transactions: The database.
        folder: Alembic's scripts; file names begin with the revision, and sort by it.
        home: The folder that paths in the database are kept relative to.

    Raises:
        StoreError: The database is newer than this OSE, belongs to something else, or is older and can only be read.
    """
    known = known_revisions(folder)
    with transactions.read() as connection:
        revision = _checked_revision(connection, known, transactions.database)
    if revision == known[-1]:
        return
    if transactions.is_read_only:
        raise StoreError(
            f"database {transactions.database} is {f'at revision {revision}' if revision else 'empty'}, this OSE needs "
            f"{known[-1]}, and it can only be read here; run `ose job list` once where it can be written"
        )
    with transactions.migrate() as connection:  # the lock is held now, so no other process migrates; look again
        if _checked_revision(connection, known, transactions.database) != known[-1]:
            _upgrade(connection, folder, home)


def known_revisions(folder: Path = MIGRATIONS) -> list[str]:
    """The revisions this OSE has, oldest first."""
    return sorted(path.stem.partition("_")[0] for path in (folder / "versions").glob("[0-9]*.py"))


def _checked_revision(connection: Connection, known: list[str], database: str) -> str | None:
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if _VERSION_TABLE not in tables:
        raise StoreError(f"database {database} holds tables that are not OSE's; give OSE a database of its own")
    revision: str | None = connection.scalar(text(f"SELECT version_num FROM {_VERSION_TABLE}"))
    if revision is not None and revision not in known:
        raise StoreError(
            f"database {database} is at revision {revision}, but this OSE knows only up to {known[-1]}: upgrade OSE"
        )
    return revision


def _upgrade(connection: Connection, folder: Path, home: Path | None) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes |= {"connection": connection, "home": home}
    command.upgrade(config, "head")
