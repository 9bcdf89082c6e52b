"""Transactions on one database, and the translation of whatever goes wrong in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, Table, Update, event, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from ose.errors import StoreError

BEGIN_OPTION = "ose_begin"
"""Execution option that says how a SQLite transaction begins."""

FOREIGN_KEYS_OPTION = "ose_foreign_keys"
"""Execution option that says whether SQLite checks foreign keys in a transaction."""

_MIGRATION_LOCK = 0x05E
"""Names the lock among the advisory locks of a PostgreSQL database."""


class Transactions:
    """Begins every transaction of a database.

    On SQLite a writer takes the lock at its first statement (BEGIN IMMEDIATE): one that reads first and
    asks for the lock later is refused at once if another process wrote in between, however long the
    busy timeout. PostgreSQL locks rows: a writer sees what was committed before each of its statements,
    a reader what was committed before its first.
    """

    def __init__(self, engine: Engine, *, is_read_only: bool = False) -> None:
        self.is_read_only = is_read_only
        self._engine = self._reader = engine
        if engine.dialect.name == "postgresql":
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._writer = engine.execution_options(**{BEGIN_OPTION: "IMMEDIATE"})
        self._migrator = self._writer.execution_options(**{FOREIGN_KEYS_OPTION: "OFF"})
        self.url = engine.url
        self.database = display_name(engine.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view that is never written through.

        Raises:
            StoreError: The database cannot be reached or read.
        """
        with store_errors(self.database), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """All or nothing: committed when the block ends, rolled back if it raises.

        Raises:
            StoreError: The database cannot be reached or written.
        """
        self._require_writable()
        with store_errors(self.database), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def migrate(self) -> Iterator[Connection]:
        """As `write`, one at a time, and SQLite lets a table be replaced that others refer to: so it is altered.

        Raises:
            StoreError: The database cannot be reached or written.
        """
        self._require_writable()
        with store_errors(self.database), self._migrator.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_MIGRATION_LOCK)))
            yield connection

    def _require_writable(self) -> None:
        if self.is_read_only:
            raise StoreError(f"database {self.database} can only be read here: its file or folder is read-only")

    def close(self) -> None:
        """Release the connections, and those that a thread still uses as soon as it gives them back."""
        event.listen(self._engine, "checkin", _invalidate)
        self._engine.dispose()


def _invalidate(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
    """Close a connection that came back to a pool which gives out no more."""
    entry.invalidate()


def changes_one(connection: Connection, change: Update) -> bool:
    """Whether the row that `change` looks for was in the state that its WHERE asks for."""
    return connection.execute(change).rowcount == 1


def insert_once(connection: Connection, table: Table, values: dict[str, Any]) -> None:
    """Insert a row, unless one with the same unique values is there. One that another process inserts is waited for."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(table).values(values).on_conflict_do_nothing())


@contextmanager
def store_errors(database: str) -> Iterator[None]:
    """Translate SQLAlchemy's errors into one line that names the database."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
        reason = (str(cause).strip() or type(cause).__name__).splitlines()[0]
        raise StoreError(f"database {database}: {reason}") from error


def display_name(url: URL) -> str:
    """The database as people may see it: the file, or the URL without its password and options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.set(query={}).render_as_string(hide_password=True)
