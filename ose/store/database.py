"""Open a database by its URL."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from ose.artifacts.private import close_to_others, private_file, private_folder
from ose.errors import DependencyError, StorageError, StoreError
from ose.store.migrate import migrate
from ose.store.reading import can_write, connect_reading
from ose.store.relative_paths import set_places
from ose.store.service_tables import TOKENS
from ose.store.sql import SqlStore
from ose.store.transactions import BEGIN_OPTION, FOREIGN_KEYS_OPTION, Transactions, display_name, store_errors

BUSY_TIMEOUT_MS = 30_000
"""How long a statement waits for another process's write."""

_TRUSTED_S = 1.0
"""So long after its last use a connection to a server is taken to be good."""

_FIRST_LOOK_S, _LAST_LOOK_S = 0.0005, 0.005
"""Between looks of one that waits for SQLite's one writer, growing. SQLite itself ends up looking ten times a second,
and meanwhile no one else may be writing."""

_BACKENDS = ("sqlite", "postgresql")

_SERVER_OPTIONS = {
    "application_name": "ose",
    "connect_timeout": 10,  # seconds
    "tcp_user_timeout": 15_000,  # milliseconds until a network that was cut is noticed; a lease lasts 30 seconds
}
"""What libpq is told unless the URL tells it otherwise."""


def open_store(url: str, home: Path | None = None) -> SqlStore:
    """Open the database, creating it or bringing its tables up to date where needed.

    A SQLite file that cannot be written is read.

    Args:
        url: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db` or a PostgreSQL URL.
        home: The folder that paths in the database are kept relative to.

    Raises:
        StoreError: The database cannot be opened, is none, or is newer than this OSE.
        StorageError: The folder of a SQLite file cannot be made.
        DependencyError: The driver of the database is not installed.
    """
    transactions = connect(url, home)
    try:
        migrate(transactions, home=home)
    except BaseException:
        transactions.close()
        raise
    return SqlStore(transactions)


def connect(url: str, home: Path | None = None) -> Transactions:
    """Open the database as it is, whatever its tables.

    Raises:
        StoreError, StorageError, DependencyError: As `open_store`; a SQLite file is not read yet.
    """
    parsed = _parsed(url)
    file = _file_to_read(parsed)
    engine = _engine(parsed) if file is None else _reading_engine(parsed, file)
    set_places(engine.dialect, home)
    return Transactions(engine, is_read_only=file is not None)


def has_place_for_tokens(url: str) -> bool:
    """Whether there is a database, and in it the table of tokens. Nothing is made for the question.

    Raises:
        StoreError, DependencyError: It cannot be opened.
    """
    parsed = _parsed(url)
    if parsed.get_backend_name() == "sqlite" and not Path(str(parsed.database)).exists():
        return False
    with closing(connect(url)) as transactions, transactions.read() as connection:
        return inspect(connection).has_table(TOKENS.name)


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except Exception:
        # Neither the text nor the cause is shown: what does not parse may still hold a password.
        raise StoreError(
            "OSE_DATABASE_URL does not parse; write sqlite:///path/to/file.db "
            "or postgresql+psycopg://user:password@host/name"
        ) from None
    if url.get_backend_name() not in _BACKENDS:
        raise StoreError(f"OSE_DATABASE_URL must be of {' or '.join(_BACKENDS)}, not of {url.get_backend_name()}")
    return url


def _file_to_read(url: URL) -> Path | None:
    """The SQLite file, if it is there and cannot be written."""
    if url.get_backend_name() != "sqlite" or not url.database:
        return None
    file = Path(url.database)
    return file if file.is_file() and not can_write(file) else None


def _reading_engine(url: URL, file: Path) -> Engine:
    engine = create_engine(url, creator=lambda: connect_reading(file))
    event.listen(engine, "connect", _leave_beginning_to_us)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _engine(url: URL) -> Engine:
    return _sqlite_engine(url) if url.get_backend_name() == "sqlite" else _server_engine(url)


def _server_engine(url: URL) -> Engine:
    with store_errors(display_name(url)):
        try:
            options = {name: value for name, value in _SERVER_OPTIONS.items() if name not in url.query}
            engine = create_engine(url, connect_args=options)
        except ModuleNotFoundError as error:
            raise DependencyError(f"the driver of {display_name(url)} is missing: pip install {error.name}") from error
    _try_after_rest(engine)
    return engine


def _try_after_rest(engine: Engine) -> None:
    """Have a connection that has rested tried before it is used: the server may have gone and come back.

    SQLAlchemy's own `pool_pre_ping` does it each time, which a search that records much pays for with a third of its
    round trips.
    """

    def note(_connection: object, record: ConnectionPoolEntry) -> None:
        record.info["used_s"] = time.monotonic()

    def check(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        now_s = time.monotonic()
        if now_s - record.info.get("used_s", now_s) < _TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError("the server has closed this connection") from error

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", check)


def _sqlite_engine(url: URL) -> Engine:
    if url.database in (None, "", ":memory:"):
        raise StoreError("OSE needs a database file, which its processes share: sqlite:///path/to/file.db")
    file = Path(os.path.realpath(str(url.database)))  # links followed, as SQLite does
    private_folder(file.parent)
    _close_to_others(file)
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _close_to_others(file: Path) -> None:
    """Have only the owner read the database, which holds everybody's jobs. SQLite's -wal and -shm take its mode."""
    with suppress(StorageError):  # SQLite itself says what is wrong with the place
        private_file(file)
    for suffix in ("-wal", "-shm"):
        close_to_others(file.with_name(file.name + suffix))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    _leave_beginning_to_us(connection, _record)
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").close()
    _enter_wal(connection)
    # Safe with WAL: a power cut may cost the last transactions, never the file.
    connection.execute("PRAGMA synchronous = NORMAL").close()


def _leave_beginning_to_us(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # else the driver, not _begin_sqlite, begins transactions


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Have readers and the writer not wait for each other.

    The first switch of a new file needs it alone, and gives up at once, whatever the busy timeout, if
    another process is about to do the same.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    foreign_keys = options.get(FOREIGN_KEYS_OPTION, "ON")
    if connection.info.get(FOREIGN_KEYS_OPTION) != foreign_keys:  # it lasts for as long as the connection
        connection.exec_driver_sql(f"PRAGMA foreign_keys = {foreign_keys}")
        connection.info[FOREIGN_KEYS_OPTION] = foreign_keys
    if options.get(BEGIN_OPTION) == "IMMEDIATE":
        _begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    """Take the write lock within moments of its release."""
    driver: Any = connection.connection.driver_connection
    pause_s, deadline = _FIRST_LOOK_S, time.monotonic() + BUSY_TIMEOUT_MS / 1000
    driver.execute("PRAGMA busy_timeout = 0").close()
    try:
        while not _has_begun(driver) and time.monotonic() < deadline:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_LOOK_S)
        if not driver.in_transaction:
            connection.exec_driver_sql("BEGIN IMMEDIATE")  # the last try; its error has SQLAlchemy's form
    finally:
        driver.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}").close()


def _has_begun(driver: sqlite3.Connection) -> bool:
    try:
        driver.execute("BEGIN IMMEDIATE").close()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise StoreError(f"the database cannot be written: {error}") from error
    return driver.in_transaction
