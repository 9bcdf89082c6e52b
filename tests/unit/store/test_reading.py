import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ose.store.reading import can_write, connect_reading


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "a ?#%.db")) as database, database:
        database.execute("CREATE TABLE t AS SELECT 1 AS x")
    return tmp_path / "a ?#%.db"


def test_a_file_is_read_and_never_written(file: Path) -> None:
    with closing(connect_reading(file)) as database:
        assert database.execute("SELECT x FROM t").fetchall() == [(1,)]
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database.execute("INSERT INTO t VALUES (2)")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        connect_reading(tmp_path / "text.db")


def test_a_file_that_is_not_there_can_be_made_where_its_folder_can_be_written(tmp_path: Path) -> None:
    assert can_write(tmp_path / "new.db") and not can_write(tmp_path / "missing" / "new.db")
