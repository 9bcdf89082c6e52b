"""The migrations make exactly the tables that the code uses, and keep what is in them.

Tests ose/store/tables.py too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, insert, inspect, select, text
from stored import claimed, start_trial, up_to

from ose.core.access import Owner
from ose.core.measurement import Metric
from ose.core.recipe import DistillationSpec
from ose.core.score import Score
from ose.core.spec import ExtendedCandidate, Extension, Hyperparameters
from ose.errors import StoreError
from ose.store.base import Store
from ose.store.database import connect, open_store
from ose.store.migrate import MIGRATIONS, known_revisions, migrate
from ose.store.tables import metadata
from ose.store.transactions import Transactions

NEXT_REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"


def upgrade() -> None:
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    with op.batch_alter_table("jobs", recreate=recreate) as table:
        table.add_column(sa.Column("note", sa.Text, nullable=False, server_default="none yet"))
    {then}
"""


WITHOUT_ERRORS = {
    "masked_lm_loss_nats": Metric(value=5.0, stderr=None),
    "masked_accuracy": Metric(value=0.2, stderr=None),
}


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def transactions(url: str) -> Iterator[Transactions]:
    """The transactions of a store at this code's head, with a job and a candidate in it."""
    with closing(open_store(url)) as store:
        store.add_candidates(claimed(store).id, "owner", [builders.new_candidate()])
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
        options = {"compare_type": True, "compare_server_default": True, "include_object": _is_no_index}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def _is_no_index(_object: object, _name: str | None, kind: str, *_: object) -> bool:
    """The next test compares indexes as they are written: Alembic reads none that descend from SQLite."""
    return kind != "index"


def test_keys_and_conditions_are_those_of_the_code(transactions: Transactions, new_url: Callable[[], str]) -> None:
    by_code = connect(new_url())
    with by_code.write() as connection:
        metadata.create_all(connection)
    with transactions.read() as migrated, by_code.read() as created:
        for table in metadata.tables:
            assert _statements(migrated, table) == _statements(created, table)
    by_code.close()


INDEXES = {
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :table ORDER BY name",
    "postgresql": "SELECT replace(indexdef, schemaname || '.', '') FROM pg_indexes "
    "WHERE tablename = :table AND schemaname = current_schema() ORDER BY indexname",
}


def _statements(connection: Connection, table: str) -> list[object]:
    inspector = inspect(connection)
    return [
        inspector.get_pk_constraint(table),
        sorted(inspector.get_foreign_keys(table), key=str),
        sorted(inspector.get_unique_constraints(table), key=str),
        list(connection.scalars(text(INDEXES[connection.dialect.name]), {"table": table})),
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


OLDEST, *BETWEEN, NEWEST = known_revisions()[:-1]
IN_ALL = pytest.mark.long("`make test` opens databases of the oldest and of the newest, which pass by those between")


@pytest.mark.slow
@pytest.mark.parametrize("revision", [OLDEST, *(pytest.param(each, marks=IN_ALL) for each in BETWEEN), NEWEST])
def test_a_database_of_an_earlier_revision_opens_with_all_it_holds(
    url: str, new_url: Callable[[], str], tmp_path: Path, revision: str
) -> None:
    with closing(connect(url)) as older:
        migrate(older, up_to(revision, tmp_path / "older"))
        expected = _fill_as_of_then(older, new_url())
    with closing(open_store(url)) as store:
        assert _everything(store) == expected
        assert store.candidate("job-1", 1).layers is None
        assert store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
        store.add_candidates("job-1", "owner", [builders.new_candidate(2, layers=(0, 3))])
        assert store.candidate("job-1", 2).layers == (0, 3)


@pytest.mark.slow
def test_what_cannot_be_read_keeps_its_words_when_metrics_are_named(
    url: str, new_url: Callable[[], str], tmp_path: Path
) -> None:
    damaged = {"jobs": "teacher_quality", "trials": "evaluation", "distillations": "result"}
    with closing(connect(url)) as older:
        migrate(older, up_to("0010", tmp_path / "older"))
        _fill_as_of_then(older, new_url())
        with older.write() as connection:
            for table, column in damaged.items():
                connection.execute(text(f"UPDATE {table} SET {column} = '{{masked_accuracy'"))
    with closing(connect(url)) as transactions:
        migrate(transactions)
        with transactions.read() as connection:
            for table, column in damaged.items():
                assert connection.scalar(text(f"SELECT {column} FROM {table}")) == "{masked_accuracy"


@pytest.mark.slow
def test_legs_are_phases_by_now(url: str, new_url: Callable[[], str], tmp_path: Path) -> None:
    """An extension of before, and a candidate of it: only names have changed."""
    going_on = ExtendedCandidate(
        candidate=1, architecture=builders.architecture(), hyperparameters=Hyperparameters(), layers=None, phases=(3, 5)
    )
    extension = Extension(job="job-0", candidates=(going_on,), data_steps=(5,))
    spec = replace(builders.job_spec(), extends=extension, search=replace(builders.job_spec().search, steps=10))
    with closing(connect(url)) as older, closing(open_store(new_url())) as store:
        migrate(older, up_to("0013", tmp_path / "older"))
        store.add_job(builders.new_job(spec=spec))
        assert store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
        store.add_candidates("job-1", "owner", [builders.new_candidate(earlier_phases=(3, 5))])
        expected = store.jobs(), store.candidates("job-1")
        with store._transactions.read() as source, older.write() as target:
            _copy(source, target)
            assert '"phases"' in target.scalar(text("SELECT spec FROM jobs"))
            target.execute(text("UPDATE candidates SET earlier_legs = '[3,5]'"))
            target.execute(text("UPDATE jobs SET spec = replace(spec, '\"phases\"', '\"legs\"')"))
    with closing(open_store(url)) as store:
        assert (store.jobs(), store.candidates("job-1")) == expected


@pytest.mark.slow
def test_distillations_that_shared_a_folder_are_all_kept(url: str, new_url: Callable[[], str], tmp_path: Path) -> None:
    names = "job_id, candidate_number, status, spec, folder, created_at"
    with closing(connect(url)) as older:
        migrate(older, up_to("0003", tmp_path / "older"))
        _fill_as_of_then(older, new_url())
        with older.write() as connection:
            connection.execute(text(f"INSERT INTO distillations ({names}) SELECT {names} FROM distillations"))
    with closing(open_store(url)) as store:
        assert [each.folder for each in store.distillations("job-1")] == ["/folder", "/folder#1"]


@pytest.mark.slow
def test_of_older_jobs_those_have_an_owner_that_came_with_a_token(
    url: str, new_url: Callable[[], str], tmp_path: Path
) -> None:
    with closing(connect(url)) as older:
        migrate(older, up_to("0006", tmp_path / "older"))
        _fill_as_of_then(older, new_url())
        with older.write() as connection:
            for job_id, caller in (("job-2", "0a"), ("job-3", "anyone")):
                names = ", ".join(name for name in _names(connection, "jobs") if name != "id")
                connection.execute(text(f"INSERT INTO jobs (id, {names}) SELECT '{job_id}', {names} FROM jobs LIMIT 1"))
                submission = {"caller": caller, "key": "k", "request_hash": "1" * 64, "job_id": job_id}
                _insert(connection, "submissions", {**submission, "created_at": builders.NOW})
            token = {"id": "0a", "name": "Ann", "scope": "SUBMIT", "digest": "d" * 64, "created_at": builders.NOW}
            _insert(connection, "tokens", token)
    with closing(open_store(url)) as store:
        owners = {job.id: job.owner for job in store.jobs()}
        assert owners == {"job-1": None, "job-2": Owner(id="0a", name="Ann"), "job-3": None}
        [first] = store.distillations("job-1")
        made = store.request_distillation("job-1", 1, DistillationSpec(), "/other", 1, builders.NOW, "0a", 1)
        assert made.id > first.id


def _names(connection: Connection, table: str) -> list[str]:
    return [column["name"] for column in inspect(connection).get_columns(table)]


def _insert(connection: Connection, table: str, values: dict[str, Any]) -> None:
    tables = MetaData()
    tables.reflect(connection, only=[table])
    connection.execute(insert(tables.tables[table]).values(values))


def _fill_as_of_then(older: Transactions, newest_url: str) -> tuple[object, ...]:
    """Have an older database hold what a newest one would, less what its tables have no place for."""
    with closing(open_store(newest_url)) as store, closing(connect(newest_url)) as newest:
        [candidate] = store.add_candidates(claimed(store).id, "owner", [builders.new_candidate()])
        latency = store.add_latency("shape", "protocol", "device", builders.latency(), builders.NOW)
        store.attach_latency("job-1", "owner", [candidate.id], latency.id)
        quality = builders.teacher_quality(metrics=WITHOUT_ERRORS)
        store.record_teacher("job-1", "owner", latency_id=latency.id, quality=quality)
        start_trial(store, candidate)
        evaluation = builders.evaluation(metrics=WITHOUT_ERRORS)
        store.record_success("trial-1", evaluation, Score(value=0.2, stderr=0.0), builders.NOW)
        distillation = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", builders.NOW)
        result = builders.distillation_result(
            metrics=WITHOUT_ERRORS | {"masked_accuracy": Metric(value=0.3, stderr=0.1)}
        )
        store.finish_distillation(distillation.id, builders.NOW, result=result)
        with newest.read() as source, older.write() as target:
            _copy(source, target)
        return _everything(store)


def _copy(source: Connection, target: Connection) -> None:
    """Rows as they are stored, column by column."""
    theirs, ours = MetaData(), MetaData()
    theirs.reflect(source)
    ours.reflect(target)
    has_metrics = "metrics" in ours.tables["candidates"].columns
    for name in ("latencies", "jobs", "candidates", "trials", "distillations"):
        for row in source.execute(select(theirs.tables[name])):
            values = _as_of_then(row._asdict(), has_metrics=has_metrics)
            known = {column.name for column in ours.tables[name].columns}
            values = {column: value for column, value in values.items() if column in known}
            target.execute(insert(ours.tables[name]).values(values))


def _as_of_then(values: dict[str, Any], *, has_metrics: bool) -> dict[str, Any]:
    """The database counts rows itself. Job specs had attempts in place of layers, and metrics once stood one by one."""
    if isinstance(values["id"], int):
        del values["id"]
    if "spec_hash" in values:
        spec = json.loads(values["spec"])
        del spec["space"]["layers"], spec["search"]["inheritance"], spec["latency"]["seconds_per_shape"]
        spec["latency"]["max_attempts"] = 3
        values["spec"] = json.dumps(spec)
    if has_metrics:
        return values
    for name, metric in json.loads(values.pop("metrics", "{}")).items():
        values[name] = metric["value"]
    for name in ("teacher_quality", "evaluation", "result"):
        if values.get(name):
            values[name] = _with_metrics_one_by_one(values[name])
    return values


def _with_metrics_one_by_one(text: str) -> str:
    """Of errors, only that of a distillation's accuracy was known."""
    content = json.loads(text)
    metrics = content.pop("metrics")
    content |= {name: metric["value"] for name, metric in metrics.items()}
    if "student_path" in content:
        content["masked_accuracy_stderr"] = metrics["masked_accuracy"]["stderr"]
    return json.dumps(content)


def _everything(store: Store) -> tuple[object, ...]:
    return (
        [replace(job, num_claims=0) for job in store.jobs()],  # nobody counted claims before
        store.candidates("job-1"),
        store.candidate_page("job-1"),
        store.trials("job-1", 1),
        store.latency("shape", "protocol", "device"),
        store.distillations("job-1"),
    )


def test_foreign_keys_are_checked_again_after_a_migration(transactions: Transactions, tmp_path: Path) -> None:
    migrate(transactions, _with_next_revision(tmp_path / "newer"))
    with pytest.raises(StoreError, match=r"(?i)foreign key"), transactions.write() as connection:
        connection.execute(text("DELETE FROM jobs"))


def test_a_migration_that_fails_changes_nothing(transactions: Transactions, url: str, tmp_path: Path) -> None:
    broken = _with_next_revision(tmp_path / "broken", then='op.execute("nonsense")')
    with pytest.raises(StoreError, match="syntax error"):
        migrate(transactions, broken)
    store = open_store(url)
    assert [job.id for job in store.jobs()] == ["job-1"]
    store.close()
