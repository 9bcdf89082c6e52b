"""A home that is moved, and a file system that is read-only."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import builders
import httpx2
import pytest
from builders import NOW
from mounts import immutable, mounted_read_only
from services import add_finished_job, add_result, serving
from sqlalchemy import text
from stored import add_candidates, up_to
from terminals import in_pipe

from ose.api.dependencies import ServerOptions
from ose.core.exports import Export, ExportFile
from ose.core.job import Distillation, JobStatus
from ose.core.recipe import DistillationSpec
from ose.core.spec import CorpusSpec, TeacherSpec
from ose.store.base import Store
from ose.store.database import connect, open_store
from ose.store.migrate import migrate
from ose.store.transactions import Transactions
from ose.workspace import Workspace

LATER = NOW + timedelta(hours=1)
QUERIES = (("job", "list"), ("job", "show", "job-1"), ("leaderboard", "job-1"), ("token", "list"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def url_of(home: Path) -> str:
    return f"sqlite:///{home}/ose.db"


# A home that is moved


def add_student(store: Store, home: Path) -> Distillation:
    """A distilled and exported student, whose files lie where a coordinator puts them."""
    folder = home / "artifacts" / "distillations" / "job-1-1-abc"
    (folder / "student").mkdir(parents=True)
    done = store.add_distillation("job-1", 1, DistillationSpec(), str(folder), NOW)
    result = replace(builders.distillation_result(), student_path=str(folder / "student"))
    store.finish_distillation(done.id, NOW, result=result)
    exported = home / "artifacts" / "exports" / "job-1-1-1-ef"
    exported.mkdir(parents=True)
    (exported / "config.json").write_text("{}")
    file = ExportFile(name="config.json", size_bytes=2, sha256="0" * 64)
    store.add_export(
        Export(
            id=done.id,
            job_id="job-1",
            candidate_number=1,
            architecture=builders.architecture(),
            folder=str(exported),
            files=(file,),
            max_logit_difference=0.0,
            created_at=NOW,
        )
    )
    return store.distillation(done.id)


def fill(home: Path) -> None:
    with closing(open_store(url_of(home), home)) as store:
        add_finished_job(store)
        add_student(store, home)


def moved(home: Path) -> Path:
    return Path(shutil.move(home, home.with_name("elsewhere")))


@pytest.mark.attack(door="homes", fault="a home that is moved loses its students", how="as found")
def test_students_are_found_where_the_home_is_now(home: Path) -> None:
    fill(home)
    new = moved(home)
    with Workspace(new) as workspace, serving(workspace, ServerOptions()) as url:
        answer = httpx2.get(f"{url}/api/v1/jobs/job-1/exports/1/files/config.json", timeout=20)
        [done] = workspace.store.distillations("job-1")
    assert answer.status_code == 200 and answer.text == "{}"
    assert done.result is not None and Path(done.result.student_path).is_dir() and done.folder.startswith(str(new))


def stamped(transactions: Transactions, revision: str) -> str:
    """Have a database say that it is of this revision; returns what it said before."""
    with transactions.write() as connection:
        before: str = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": revision})
    return before


@pytest.mark.attack(
    door="homes",
    fault="a home that is moved loses its students",
    how="rows of before paths were relative, a database that cannot tell where its home is",
)
def test_rows_of_before_are_found_too(home: Path, tmp_path: Path, new_url: Callable[[], str]) -> None:
    database = new_url()
    with closing(open_store(database)) as store:  # told of no home, it keeps all paths as they are, as it always did
        store.add_job(job_with_text(home / "quickstart" / "text" / "train.jsonl"))
        add_candidates(store)
        add_student(store, home)
    new = moved(home)
    with closing(connect(database)) as transactions:
        newest = stamped(transactions, "0009")
        migrate(transactions, up_to("0010", tmp_path / "then"), new)  # which changes rows and no table
        stamped(transactions, newest)
    with closing(open_store(database, new)) as store:
        [done], [export], job = store.distillations("job-1"), store.exports("job-1"), store.job("job-1")
        again = store.add_distillation("job-1", 1, DistillationSpec(), done.folder, NOW)
    assert done.result is not None and Path(done.result.student_path).is_dir() and Path(export.folder).is_dir()
    assert job.corpus.train == job.spec.corpus.train == (f"{new}/quickstart/text/train.jsonl",)
    assert job.teacher.path == "/teacher" and again.id == done.id


@pytest.mark.attack(
    door="homes",
    fault="a home that is moved loses its students",
    how="a teacher and texts below the home, and a link to it",
)
def test_texts_below_the_home_move_along(home: Path) -> None:
    home.mkdir()
    link = home.with_name("link")
    link.symlink_to(home)
    with closing(open_store(url_of(link), link)) as store:
        store.add_job(job_with_text(home / "text.txt", teacher=link / "teacher"))
    new = moved(home)
    with closing(open_store(url_of(new), new)) as store:
        job = store.job("job-1")
    assert job.corpus.train == (f"{new}/text.txt",) and job.spec.teacher.model == f"{new}/teacher"


@pytest.mark.attack(
    door="homes",
    fault="a home that is moved loses its students",
    how="a job is extended, whose teacher, text and data folder lie below the home",
)
def test_a_job_of_a_server_is_extended_after_a_move(home: Path, tiny_roberta: Path, real_text: list[str]) -> None:
    shutil.copytree(tiny_roberta, home / "data" / "teacher")
    (home / "data" / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text))
    with (
        Workspace(home) as workspace,
        serving(workspace, ServerOptions(data_root=home / "data")) as url,
    ):
        made = httpx2.post(f"{url}/api/v1/jobs", json=JOB, timeout=60)
        assert made.status_code == 201, made.text
        add_results(workspace.store, made.json()["id"])
    new = moved(home)
    with Workspace(new) as workspace, serving(workspace, ServerOptions(data_root=new / "data")) as url:
        extended = httpx2.post(f"{url}/api/v1/jobs/{made.json()['id']}/extend", json={"steps": 200}, timeout=60)
    assert extended.status_code == 201, extended.text
    corpus, teacher = extended.json()["corpus"], extended.json()["teacher"]
    assert (corpus["root"], corpus["train"]) == (f"{new}/data", [f"{new}/data/text.txt"])
    assert teacher["path"] == f"{new}/data/teacher"


JOB = {
    "name": "tiny",
    "teacher": {"model": "teacher"},
    "corpus": {"train": ["*.txt"], "sequence_length": 16},
    "space": {
        "num_hidden_layers": [1, 2],
        "num_attention_heads": [4],
        "hidden_size": [16, 32],
        "intermediate_size": [64],
    },
    "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
}


def add_results(store: Store, job_id: str) -> None:
    """Have the job succeed with two candidates."""
    store.claim_job(job_id, "owner", NOW, LATER)
    latency = store.add_latency("teacher", "p", "f", builders.latency(100.0), NOW)
    store.record_teacher(job_id, "owner", quality=builders.teacher_quality(), latency_id=latency.id)
    for candidate in store.add_candidates(job_id, "owner", [builders.new_candidate(n) for n in (1, 2)]):
        add_result(store, job_id, candidate.id, candidate.number)
    store.finish_job(job_id, "owner", JobStatus.SUCCEEDED, NOW)


@pytest.mark.attack(
    door="homes", fault="a home that is moved loses its students", how="a stored path that would lead out of the home"
)
def test_a_stored_path_leads_nowhere_else(home: Path) -> None:
    with closing(open_store(url_of(home), home)) as store:
        store.add_job(job_with_text(home / "text.txt", teacher=Path("home:../../etc")))
        assert store.job("job-1").spec.teacher.model == "home:../../etc"


def job_with_text(file: Path, teacher: Path = Path("/teacher")) -> Any:
    spec = builders.job_spec(corpus=CorpusSpec(train=(str(file),)), teacher=TeacherSpec(model=str(teacher)))
    new = builders.new_job("job-1", spec=spec)
    return replace(new, corpus=replace(new.corpus, train=(str(file),)))


# A file system that is read-only


@pytest.mark.attack(door="homes", fault="a query of a read-only home fails", how="as found")
def test_a_home_on_a_read_only_file_system_is_read(home: Path) -> None:
    fill(home)
    with mounted_read_only(home):
        ended = [in_pipe(home, *query) for query in QUERIES]
        refused = in_pipe(home, "job", "cancel", "job-1")
    assert [each.returncode for each in ended] == [0, 0, 0, 0] and "job-1" in ended[0].stdout
    assert refused.returncode == 2 and refused.stderr.count("\n") == 1


@pytest.mark.attack(door="homes", fault="a query of a read-only home fails", how="a server's GETs, and what it refuses")
def test_a_server_of_a_read_only_home_answers(home: Path) -> None:
    fill(home)
    with mounted_read_only(home), Workspace(home) as workspace, serving(workspace, ServerOptions()) as url:
        paths = ("jobs", "jobs/job-1", "jobs/job-1/cost", "jobs/job-1/leaderboard", "jobs/job-1/exports", "tokens")
        found = [httpx2.get(f"{url}/api/v1/{path}", timeout=20).status_code for path in paths]
        ready = httpx2.get(f"{url}/readyz", timeout=20)
        refused = httpx2.delete(f"{url}/api/v1/jobs/job-1", timeout=20)
        no_token = httpx2.post(f"{url}/api/v1/tokens", json={"name": "a", "scope": "read"}, timeout=20)
    assert found == [200] * len(paths) and ready.status_code == 200
    assert (refused.status_code, refused.json()["code"]) == (503, "store")
    assert (no_token.status_code, no_token.json()["code"]) == (507, "storage")  # the home could not remember it


@pytest.mark.attack(
    door="homes",
    fault="a query of a read-only home fails",
    how="the log of a killed writer, without its index",
)
def test_what_a_log_holds_is_read(home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    with closing(open_store(url_of(home), home)) as store:
        add_finished_job(store)
        for file in ("ose.db", "ose.db-wal"):
            shutil.copy(home / file, copy / file)
    assert (copy / "ose.db-wal").stat().st_size > 0
    with mounted_read_only(copy):
        ended = in_pipe(copy, "job", "list", "--format", "json")
    assert [job["status"] for job in json.loads(ended.stdout)] == ["SUCCEEDED"]


@pytest.mark.attack(
    door="homes", fault="a query of a read-only home fails", how="while a coordinator writes where it may be written"
)
def test_a_living_writer_is_seen(home: Path, tmp_path: Path) -> None:
    view = tmp_path / "view"
    view.mkdir()
    with closing(open_store(url_of(home), home)) as store:
        add_finished_job(store)
        with mounted_read_only(home, at=view):
            before = json.loads(in_pipe(view, "job", "list", "--format", "json").stdout)
            store.add_job(builders.new_job("job-2"))
            after = json.loads(in_pipe(view, "job", "list", "--format", "json").stdout)
    assert len(before) == 1 and len(after) == 2


@pytest.mark.attack(
    door="homes", fault="a query of a read-only home fails", how="a database that would have to be brought up to date"
)
def test_an_old_database_that_cannot_be_written_says_so(home: Path) -> None:
    fill(home)
    with closing(sqlite3.connect(home / "ose.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0009'")
    with mounted_read_only(home):
        ended = in_pipe(home, "job", "list")
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1
    assert "0009" in ended.stderr and "can only be read here" in ended.stderr


@pytest.mark.attack(door="homes", fault="a query of a read-only home fails", how="another user's home")
def test_another_users_home_is_read(home: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    fill(home)
    for folder in (home, *home.parents):
        if folder.is_relative_to("/tmp") and folder != Path("/tmp"):
            folder.chmod(0o755)
    (home / "ose.db").chmod(0o644)
    reader = os.fork()
    if reader == 0:
        status = 1
        try:
            os.setuid(65534)
            with closing(open_store(url_of(home), home)) as store:
                status = 0 if len(store.jobs()) == 1 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0


@pytest.mark.attack(
    door="homes",
    fault="a query of a read-only home fails",
    how="a file that nobody may write, in a folder that all may",
)
def test_a_file_that_cannot_be_written_is_read(home: Path) -> None:
    fill(home)
    with immutable(home / "ose.db"):
        listed, refused = in_pipe(home, "job", "list"), in_pipe(home, "token", "create", "me")
    assert listed.returncode == 0 and "job-1" in listed.stdout
    assert refused.returncode == 2 and "can only be read here" in refused.stderr
