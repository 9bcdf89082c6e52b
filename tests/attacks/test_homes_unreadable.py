"""One row of a database that cannot be read: it names its job, and leaves lists, servers and queues whole."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import builders
import httpx2
import pytest
from builders import NOW
from services import add_finished_job, serving
from stored import add_candidates
from terminals import in_pipe

from ose.api.dependencies import ServerOptions
from ose.core.job import Job
from ose.core.recipe import DistillationSpec
from ose.errors import UnreadableError
from ose.jobs.estimate import job_cost
from ose.store.database import connect, open_store
from ose.workspace import Workspace

LATER = NOW + timedelta(hours=1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def url_of(home: Path) -> str:
    return f"sqlite:///{home}/ose.db"


BAD = {
    "a spec without a teacher": ("spec", '\'{"name": "x"}\''),
    "a spec that is no JSON": ("spec", "'{'"),
    "a value that is refused": ("spec", "REPLACE(spec, '\"epsilon\":1', '\"epsilon\":-1')"),
    "an unknown status": ("status", "'PAUSED'"),
    "a teacher that is none": ("teacher", "'[]'"),
}


def spoil(database: str, column: str, value: str, table: str = "jobs", where: str = "id = 'job-2'") -> None:
    """Write what no version of OSE writes; `value` is SQL."""
    with closing(connect(database)) as transactions, transactions.write() as connection:
        connection.exec_driver_sql(f"UPDATE {table} SET {column} = {value} WHERE {where}")


@pytest.fixture
def spoiled(store_url: str, request: pytest.FixtureRequest) -> str:
    """A database with three jobs, the second of which cannot be read."""
    with closing(open_store(store_url)) as store:
        for number in (1, 2, 3):
            store.add_job(builders.new_job(f"job-{number}", created_at=NOW + timedelta(minutes=number)))
    spoil(store_url, *BAD[request.param])
    return store_url


first_bad = pytest.mark.parametrize("spoiled", ["a spec without a teacher"], indirect=True)
other_bad = pytest.mark.parametrize(
    "spoiled", [each for each in BAD if each != "a spec without a teacher"], indirect=True
)


@pytest.mark.attack(door="homes", fault="one unreadable job hides the others", how="as found")
@first_bad
def test_the_list_is_whole_beside_a_bad_spec(spoiled: str, home: Path) -> None:
    _list_is_whole(spoiled, home)


@pytest.mark.attack(
    door="homes",
    fault="one unreadable job hides the others",
    how="another column, an unknown status, no JSON",
)
@other_bad
def test_the_list_is_whole_beside_other_bad_rows(spoiled: str, home: Path) -> None:
    _list_is_whole(spoiled, home)


def _list_is_whole(database: str, home: Path) -> None:
    listed = in_pipe(home, "job", "list", OSE_DATABASE_URL=database)
    assert listed.returncode == 0 and all(f"job-{number}" in listed.stdout for number in (1, 2, 3))
    assert listed.stdout.count("UNREADABLE") == 1 and listed.stdout.count("cannot be read") == 1
    shown = in_pipe(home, "job", "show", "job-2", OSE_DATABASE_URL=database)
    assert shown.returncode == 2 and shown.stderr.count("\n") == 1 and "job job-2 cannot be read" in shown.stderr
    other = in_pipe(home, "job", "show", "job-3", OSE_DATABASE_URL=database)
    assert other.returncode == 0


@pytest.mark.attack(door="homes", fault="one unreadable job ends a server's list", how="as found")
@first_bad
def test_a_servers_list_is_whole_beside_a_bad_spec(spoiled: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _server_answers(spoiled, home, monkeypatch)


@pytest.mark.attack(
    door="homes", fault="one unreadable job ends a server's list", how="another column, an unknown status, page by page"
)
@other_bad
def test_a_servers_list_is_whole_beside_others(spoiled: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _server_answers(spoiled, home, monkeypatch)


def _server_answers(database: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", database)
    with Workspace(home) as workspace, serving(workspace, ServerOptions()) as url:
        pages, after = [], ""
        while after is not None:
            page = httpx2.get(f"{url}/api/v1/jobs?limit=1{after and f'&after={after}'}", timeout=20).json()
            pages, after = pages + page["jobs"], page["next"]
        of_bad = [
            httpx2.get(f"{url}/api/v1/jobs/job-2{part}", timeout=20)
            for part in ("", "/cost", "/leaderboard", "/events", "/distillations", "/exports", "/candidates/1")
        ]
        numbers = httpx2.get(f"{url}/metrics", timeout=20)
    assert [job["id"] for job in pages] == ["job-3", "job-2", "job-1"]
    assert pages[1]["status"] == "UNREADABLE" and "job-2 cannot be read" in pages[1]["error"]["message"]
    assert {answer.status_code for answer in of_bad} == {409} and of_bad[0].json()["code"] == "unreadable"
    assert numbers.status_code == 200


@pytest.mark.attack(
    door="homes", fault="one unreadable job ends a server's list", how="a status that is written while streams go on"
)
def test_streams_go_on_beside_a_bad_status(store_url: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    with (
        Workspace(home) as workspace,
        serving(workspace, ServerOptions(poll_s=0.1)) as url,
        ThreadPoolExecutor() as pool,
    ):
        for job_id in ("job-1", "job-2"):
            workspace.store.add_job(builders.new_job(job_id))
        good, bad = (
            pool.submit(httpx2.get, f"{url}/api/v1/jobs/{each}/events", timeout=60) for each in ("job-1", "job-2")
        )
        time.sleep(1)
        spoil(store_url, *BAD["an unknown status"])
        assert "PENDING" in bad.result(20).text and not good.done()
        again = httpx2.get(f"{url}/api/v1/jobs/job-2/events", timeout=20)
        workspace.store.cancel_job("job-1", NOW)
        assert "CANCELLED" in good.result(20).text
    assert (again.status_code, again.json()["code"]) == (409, "unreadable")


@pytest.mark.attack(door="homes", fault="one unreadable job holds up the queue", how="it waits before all others")
def test_a_coordinator_gives_up_a_job_that_it_cannot_read(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        for number in (1, 2):
            store.add_job(builders.new_job(f"job-{number}", created_at=NOW + timedelta(minutes=number)))
        spoil(store_url, "spec", "'{}'", where="id = 'job-1'")
        claimed = store.claim_next_job("owner", NOW, LATER)
        assert claimed is not None and claimed.id == "job-2"
        assert store.count_jobs() == {"FAILED": 1, "RUNNING": 1}
        assert store.claim_next_job("owner-2", NOW, LATER) is None


@pytest.mark.attack(door="homes", fault="one unreadable job holds up the queue", how="a distillation that waits first")
def test_a_distillation_that_cannot_be_read_is_given_up(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        store.add_job(builders.new_job())
        add_candidates(store)
        for name in ("a", "b"):
            store.request_distillation("job-1", 1, DistillationSpec(), f"/{name}", 1, NOW)
        spoil(store_url, "spec", "'[]'", "distillations", "folder = '/a'")
        claimed = store.claim_distillation("owner", NOW, LATER)
        assert claimed is not None and claimed[0].folder == "/b"
        store.finish_distillation(claimed[0].id, NOW, result=builders.distillation_result())
        assert [each.folder for each in store.unexported_distillations()] == ["/b"]


@pytest.mark.attack(
    door="homes", fault="one unreadable job hides the others", how="a candidate's row, in another job's cost"
)
def test_a_bad_candidate_stays_its_own_jobs_fault(store_url: str) -> None:
    with closing(open_store(store_url)) as store:
        add_finished_job(store)
        store.add_job(builders.new_job("job-2", created_at=NOW + timedelta(days=1)))
        spoil(store_url, "hyperparameters", '\'{"learning_rate": "fast"}\'', "candidates", "number = 1")
        assert job_cost(store, store.job("job-2")).work.num_candidates > 0
        with pytest.raises(UnreadableError):
            store.candidates("job-1")


@pytest.mark.attack(door="homes", fault="one unreadable job hides the others", how="a time that is none")
def test_a_time_that_is_none(home: Path) -> None:
    with closing(open_store(url_of(home))) as store:
        for number in (1, 2, 3):
            store.add_job(builders.new_job(f"job-{number}"))
        spoil(url_of(home), "created_at", "'yesterday'")
        listed = store.listed_jobs()
    assert sorted(each.id for each in listed) == ["job-1", "job-2", "job-3"]
    assert [each.id for each in listed if not isinstance(each, Job)] == ["job-2"]
