"""The migrations make exactly the tables that the code uses, and keep what is in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import builders
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, insert, inspect, text

from ose.errors import StoreError
from ose.store import rows
from ose.store.engine import connect, open_store
from ose.store.migrate import MIGRATIONS, known_revisions, migrate
from ose.store.tables import CANDIDATES, JOBS, metadata
from ose.store.transactions import Transactions

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("jobs", recreate="always") as table:
        table.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none yet"))
    {then}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def transactions(url: str) -> Iterator[Transactions]:
    """The transactions of a store at this code's head, with a job and a candidate in it."""
    store = open_store(url)
    store.add_job(builders.new_job("job-1"))
    store.add_candidates("job-1", [builders.new_candidate()])
    store.close()
    transactions = connect(url)
    yield transactions
    transactions.close()


def _with_next_revision(folder: Path, then: str = "") -> Path:
    """A copy of the migrations with one revision more."""
    shutil.copytree(MIGRATIONS, folder)
    revision = NEXT_REVISION.format(head=known_revisions()[-1], then=then)
    (folder / "versions" / "9999_note.py").write_text(revision)
    return folder


def test_the_migrated_tables_are_those_of_the_code(transactions: Transactions) -> None:
    with transactions.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_keys_and_conditions_are_those_of_the_code(transactions: Transactions) -> None:
    by_code = create_engine("sqlite://")
    metadata.create_all(by_code)
    with transactions.read() as migrated, by_code.connect() as created:
        for table in metadata.tables:
            assert _statements(migrated, table) == _statements(created, table)
    by_code.dispose()


def _statements(connection: Connection, table: str) -> list[object]:
    inspector = inspect(connection)
    indexes = "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table ORDER BY name"
    return [
        inspector.get_pk_constraint(table),
        sorted(inspector.get_foreign_keys(table), key=str),
        sorted(inspector.get_unique_constraints(table), key=str),
        list(connection.scalars(text(indexes), {"table": table})),
    ]


def test_the_known_revisions_are_alembics_own() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()][::-1] == known_revisions()


def test_an_older_database_is_upgraded_with_what_it_holds(transactions: Transactions, url: str, tmp_path: Path) -> None:
    newer = _with_next_revision(tmp_path / "newer")
    migrate(transactions, newer)
    migrate(transactions, newer)
    with transactions.read() as connection:
        assert connection.execute(text("SELECT id, note FROM jobs")).all() == [("job-1", "none yet")]
    with pytest.raises(StoreError, match=r"9999.*upgrade OSE"):
        open_store(url)


def test_a_database_from_before_layers_opens_and_reads(url: str, tmp_path: Path) -> None:
    folder = shutil.copytree(MIGRATIONS, tmp_path / "older")
    for file in folder.glob("versions/*.py"):
        if not file.name.startswith("0001"):
            file.unlink()
    new, candidate = builders.new_job("job-1"), rows.from_candidate("job-1", builders.new_candidate())
    del candidate["layers"]
    older = connect(url)
    migrate(older, folder)
    with older.write() as connection:
        connection.execute(insert(JOBS).values(rows.from_job(new)))
        connection.execute(text("UPDATE jobs SET spec = json_remove(spec, '$.space.layers', '$.search.inheritance')"))
        connection.execute(insert(CANDIDATES).values(candidate))
    older.close()
    with closing(open_store(url)) as store:
        assert store.job("job-1").spec == new.spec
        assert store.candidate("job-1", 1).layers is None
        store.add_candidates("job-1", [builders.new_candidate(2, layers=(0, 3))])
        assert store.candidate("job-1", 2).layers == (0, 3)


def test_foreign_keys_are_checked_again_after_a_migration(transactions: Transactions, tmp_path: Path) -> None:
    migrate(transactions, _with_next_revision(tmp_path / "newer"))
    with pytest.raises(StoreError, match="FOREIGN KEY"), transactions.write() as connection:
        connection.execute(text("DELETE FROM jobs"))


def test_a_migration_that_fails_changes_nothing(transactions: Transactions, url: str, tmp_path: Path) -> None:
    broken = _with_next_revision(tmp_path / "broken", then='op.execute("nonsense")')
    with pytest.raises(StoreError, match="syntax error"):
        migrate(transactions, broken)
    store = open_store(url)
    assert [job.id for job in store.jobs()] == ["job-1"]
    store.close()
