"""Opening databases: what is set on them, and one clear line for each that cannot be opened.

Tests ose/store/transactions.py too.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import builders
import psycopg
import pytest
from postgres import emptied
from race import race_processes
from sqlalchemy import URL, make_url, text

from ose.errors import DependencyError, MachineError, NotFoundError, StorageError, StoreError
from ose.store import database
from ose.store.database import connect, open_store
from ose.store.migrate import known_revisions
from ose.store.transactions import display_name

PASSWORD = "hunter2"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def existing(path: Path) -> Iterator[Path]:
    """A store with one job, closed."""
    store = open_store(f"sqlite:///{path}")
    store.add_job(builders.new_job("job-1"))
    store.close()
    yield path


def _refusal(url: str, kind: type[MachineError] = StoreError) -> str:
    with pytest.raises(kind) as caught:
        open_store(url)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_folder_of_a_database_is_made(tmp_path: Path) -> None:
    path = tmp_path / "some 100% new" / "folder" / "store.db"
    open_store(f"sqlite:///{path}").close()
    assert path.is_file()


def test_a_connection_in_use_when_the_store_closes_is_closed_when_it_is_given_back(store_url: str) -> None:
    transactions = connect(store_url)
    with transactions.read() as connection:
        raw: Any = connection.connection.dbapi_connection
        transactions.close()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        raw.cursor().execute("SELECT 1")


def test_a_path_relative_to_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///results/store.db").close()
    assert (tmp_path / "results" / "store.db").is_file()


def test_readers_do_not_wait_for_a_writer(existing: Path) -> None:
    with closing(sqlite3.connect(existing, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("UPDATE jobs SET name = 'unfinished'")
        store = open_store(f"sqlite:///{existing}")
        assert store.job("job-1").name == "tiny"
        store.close()


def test_a_writer_does_not_wait_for_readers(existing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    store, reader = open_store(f"sqlite:///{existing}"), connect(f"sqlite:///{existing}")
    with reader.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM jobs")) == 1
        store.add_job(builders.new_job("job-2"))
        assert connection.scalar(text("SELECT count(*) FROM jobs")) == 1
    reader.close()
    store.close()


def test_a_writer_holds_the_lock_from_its_beginning(existing: Path) -> None:
    transactions = connect(f"sqlite:///{existing}")
    other = sqlite3.connect(existing, timeout=0)
    with closing(other), transactions.write(), pytest.raises(sqlite3.OperationalError, match="locked"):
        other.execute("UPDATE jobs SET name = 'other'")
    transactions.close()


def test_a_writer_that_waits_too_long_says_so(existing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    store = open_store(f"sqlite:///{existing}")
    with closing(sqlite3.connect(existing, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"store\.db: database is locked"):
            store.add_job(builders.new_job("job-2"))
    store.add_job(builders.new_job("job-2"))
    store.close()


def test_an_error_of_ours_passes_through_unchanged(existing: Path) -> None:
    store = open_store(f"sqlite:///{existing}")
    with pytest.raises(NotFoundError):
        store.job("nothing")
    store.close()


@pytest.mark.processes
def test_two_processes_make_one_database(new_url: Callable[[], str]) -> None:
    outcomes = race_processes(new_url(), {"first": "open", "second": "open"})
    assert outcomes == ["0 jobs", "0 jobs"]


@pytest.mark.processes
def test_a_store_at_head_is_read_without_alembic_or_torch(existing: Path) -> None:
    script = (
        "import sys; from ose.store.database import open_store\n"
        f"store = open_store('sqlite:///{existing}'); assert store.jobs(); store.close()\n"
        "print([name for name in ('alembic', 'sqlalchemy.orm', 'torch', 'transformers', 'ray') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_text("some text, long enough to be taken for a database's first page\n" * 50)
    assert _refusal(f"sqlite:///{path}") == f"database {path}: file is not a database"


def test_a_database_of_something_else_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE recipes (name TEXT)")
    assert "a database of its own" in _refusal(f"sqlite:///{path}")


def test_a_database_newer_than_the_code(existing: Path) -> None:
    with closing(sqlite3.connect(existing)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    message = _refusal(f"sqlite:///{existing}")
    assert "9999" in message and known_revisions()[-1] in message and message.endswith("upgrade OSE")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    message = _refusal(f"sqlite:///{tmp_path}/file/folder/store.db", StorageError)
    assert f"{tmp_path}/file/folder" in message and "Not a directory" in message


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    assert _refusal(f"sqlite:///{tmp_path}") == f"database {tmp_path}: unable to open database file"


def test_a_row_that_cannot_be_read(existing: Path) -> None:
    with closing(sqlite3.connect(existing)) as database, database:
        database.execute('UPDATE jobs SET spec = \'{"name": "tiny"}\'')
    store = open_store(f"sqlite:///{existing}")
    with pytest.raises(StoreError, match="holds a JobSpec that this OSE cannot read: teacher"):
        store.job("job-1")
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_that_processes_cannot_share(url: str) -> None:
    assert "file" in _refusal(url)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:{PASSWORD}:{PASSWORD}@host:{PASSWORD}/name",
        f"user:{PASSWORD}@host",
        f"mysql://user:{PASSWORD}@host/name",
        f"postgresql+nosuchdriver://user:{PASSWORD}@host/name",
        "results/store.db",
        "",
    ],
)
def test_a_url_that_names_no_usable_database_is_refused_without_its_password(url: str) -> None:
    assert PASSWORD not in _refusal(url)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    message = _refusal(f"postgresql+psycopg://user:{PASSWORD}@127.0.0.1:1/name")
    assert "127.0.0.1:1/name" in message and PASSWORD not in message


@pytest.mark.postgres
@pytest.mark.parametrize(("query", "expected"), [("", "ose"), ("&application_name=mine", "mine")])
def test_the_url_has_the_last_word_on_how_a_server_is_reached(
    migrated_postgres: str, query: str, expected: str
) -> None:
    with closing(connect(migrated_postgres + query)) as transactions, transactions.read() as connection:
        assert connection.scalar(text("SHOW application_name")) == expected


@pytest.mark.postgres
def test_a_reader_sees_one_moment_and_writes_nothing(migrated_postgres: str) -> None:
    with closing(connect(migrated_postgres)) as transactions, emptied(migrated_postgres):
        with transactions.read() as connection, closing(open_store(migrated_postgres)) as store:
            assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0
            store.add_job(builders.new_job("job-1"))
            assert connection.scalar(text("SELECT count(*) FROM jobs")) == 0
        with pytest.raises(StoreError, match="read-only"), transactions.read() as connection:
            connection.execute(text("DELETE FROM jobs"))


def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    message = _refusal(f"postgresql+psycopg://user:{PASSWORD}@host/name", DependencyError)
    assert "psycopg" in message and PASSWORD not in message


@pytest.mark.parametrize("query", ["", f"?password={PASSWORD}"])
def test_a_database_is_named_without_its_password(query: str) -> None:
    url: URL = make_url(f"postgresql+psycopg://user:{PASSWORD}@host/name{query}")
    assert display_name(url) == "postgresql+psycopg://user:***@host/name"
