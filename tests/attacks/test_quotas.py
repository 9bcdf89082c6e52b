"""Tokens that want the queue, or others' jobs, for themselves: a running server, real coordinators, both databases.

Tests ose/access/ownership.py and ose/store/quotas.py too.
"""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_backend import FakeBackend
from services import add_finished_job, serving

from ose.api.dependencies import ServerOptions
from ose.client import RemoteWorkspace
from ose.coordinator.coordinator import Coordinator
from ose.core.access import Scope
from ose.core.job import Job, JobStatus
from ose.core.progress import Silence
from ose.errors import ForbiddenError, NotFoundError
from ose.jobs.queue import serve_queue
from ose.workspace import Workspace

FLOOD = "one token's jobs hold up everybody's"
FULL = "one token fills the queue"
ANOTHERS = "any token stops or removes another's jobs"
REMOVED = "what is deleted takes along what others use, or leaves something"

JOB: dict[str, Any] = {
    "name": "tiny",
    "teacher": {"model": "teacher"},
    "corpus": {"train": ["text.txt"], "sequence_length": 16},
    "space": {
        "num_hidden_layers": [1, 2],
        "num_attention_heads": [4],
        "hidden_size": [16],
        "intermediate_size": [64],
    },
    "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
}


@dataclass(frozen=True)
class Service:
    """A running server and what stands behind it."""

    url: str
    workspace: Workspace
    job: dict[str, Any]
    clients: ExitStack

    def caller(self, name: str, scope: Scope = Scope.SUBMIT) -> Caller:
        token, shown = self.workspace.tokens.create(name, scope)
        client = httpx2.Client(base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {shown}"}, timeout=60)
        return Caller(self, token.id, self.clients.enter_context(client))

    def coordinator(self, backend: FakeBackend | None = None) -> Coordinator:
        """One that runs jobs in milliseconds."""
        store = self.workspace.store
        return Coordinator(store, lambda _: backend or FakeBackend(), self.workspace.artifacts, Silence())

    def run_next(self) -> Job:
        job = self.coordinator().run_next()
        assert job is not None
        return job


@dataclass(frozen=True)
class Caller:
    """The holder of a token."""

    service: Service
    id: str
    client: httpx2.Client

    def submit(self, name: str = "tiny") -> str:
        answer = self.client.post("/jobs", json={**self.service.job, "name": name})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def finished(self) -> str:
        """A job of its own that has been run."""
        job_id = self.submit("finished")
        assert self.service.coordinator().run(job_id).status is JobStatus.SUCCEEDED
        return job_id

    def ask(self, method: str, path: str, content: Any = None) -> httpx2.Response:
        body = {} if content is None else {"json": content}
        return self.client.request(method, path, **body)

    def statuses(self, asked: Sequence[tuple[str, str, Any]]) -> Counter[int]:
        """What so many requests at once are answered with, none of which waits until checking is loaded."""
        self.service.workspace.checkers.start()
        with ThreadPoolExecutor(20) as pool:
            return Counter(answer.status_code for answer in pool.map(lambda each: self.ask(*each), asked))


@pytest.fixture
def service(
    tmp_path: Path, store_url: str, tiny_roberta: Path, real_text: list[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    data = tmp_path / "data"
    shutil.copytree(tiny_roberta, data / "teacher")
    (data / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text[:20]))
    monkeypatch.setenv("OSE_DATABASE_URL", store_url)
    options = ServerOptions(data_root=data, requires_token=True, poll_s=0.05)
    with Workspace(tmp_path / "home") as workspace, serving(workspace, options) as url, ExitStack() as clients:
        yield Service(url, workspace, JOB, clients)


@pytest.fixture
def ann(service: Service) -> Caller:
    return service.caller("Ann")


@pytest.fixture
def bob(service: Service) -> Caller:
    return service.caller("Bob")


def _flood(how: str, ann: Caller, count: int) -> None:
    """Have so many jobs of one token wait."""
    if how == "extensions":
        path = f"/jobs/{ann.finished()}/extend"
        assert ann.statuses([("POST", path, {"steps": 200 + number}) for number in range(count)]) == {201: count}
        return
    jobs = [ann.submit() for _ in range(count)]
    if how == "resumed":
        assert ann.statuses([("POST", f"/jobs/{job}/cancel", None) for job in jobs]) == {200: count}
        assert ann.statuses([("POST", f"/jobs/{job}/resume", None) for job in jobs]) == {200: count}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("submitted", marks=pytest.mark.attack(door="quotas", fault=FLOOD, how="as found")),
        pytest.param(
            "extensions", marks=pytest.mark.attack(door="quotas", fault=FLOOD, how="extensions of one job, at once")
        ),
        pytest.param(
            "resumed", marks=pytest.mark.attack(door="quotas", fault=FLOOD, how="jobs that were cancelled and resumed")
        ),
    ],
)
def test_another_tokens_single_job_runs_next(service: Service, ann: Caller, bob: Caller, how: str) -> None:
    _flood(how, ann, 50)
    assert service.run_next().owner.id == ann.id
    single = bob.submit()
    assert service.run_next().id == single
    assert service.run_next().owner.id == ann.id


@pytest.mark.attack(door="quotas", fault=FLOOD, how="distillations instead of jobs")
def test_another_tokens_single_distillation_runs_next(service: Service, ann: Caller, bob: Caller) -> None:
    path = f"/jobs/{ann.finished()}/distillations"
    asked = [("POST", path, {"changes": {"steps": 100 + number}}) for number in range(50)]
    assert ann.statuses(asked) == {202: 50}
    single = bob.ask("POST", path, {"changes": {"steps": 99}}).json()["id"]
    store = service.workspace.store
    end = store.now() + timedelta(minutes=1)
    served = [store.claim_distillation(str(number), store.now(), end) for number in range(3)]
    assert [claim[0].id == single for claim in served if claim] == [False, True, False]


@pytest.mark.attack(door="quotas", fault=FLOOD, how="the turn's job is deleted to come first again")
def test_deleting_what_was_served_gains_no_turn(service: Service, ann: Caller, bob: Caller) -> None:
    first, second = ann.submit(), ann.submit()
    assert service.run_next().id == first
    waiting = bob.submit()
    assert ann.ask("DELETE", f"/jobs/{first}").status_code == 200
    assert [service.run_next().id, service.run_next().id] == [waiting, second]


@pytest.mark.attack(door="quotas", fault=FULL, how="as found")
def test_no_more_jobs_of_a_token_wait_than_may(
    service: Service, ann: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSE_MAX_QUEUED_JOBS", "5")
    assert ann.statuses([("POST", "/jobs", service.job)] * 20) == {201: 5, 429: 15}
    refused = ann.ask("POST", "/jobs", service.job)
    assert refused.json()["code"] == "quota" and "OSE_MAX_QUEUED_JOBS" in refused.json()["detail"]
    assert int(refused.headers["Retry-After"]) > 0
    bob.submit()
    service.run_next()
    ann.submit()


@pytest.mark.attack(door="quotas", fault=FULL, how="by extending and resuming, under keys, 20 threads at once")
def test_no_other_way_leads_past_the_quota(service: Service, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    finished = ann.finished()
    stopped = [ann.submit() for _ in range(6)]
    assert ann.statuses([("POST", f"/jobs/{job}/cancel", None) for job in stopped]) == {200: 6}
    monkeypatch.setenv("OSE_MAX_QUEUED_JOBS", "5")
    resumed = [("POST", f"/jobs/{job}/resume", None) for job in stopped]
    extended = [("POST", f"/jobs/{finished}/extend", {"steps": 200 + number}) for number in range(6)]
    submitted = [("POST", "/jobs", {**service.job, "name": str(number)}) for number in range(8)]
    statuses = ann.statuses([*resumed, *extended, *submitted])
    assert statuses[200] + statuses[201] == 5 and statuses[429] == 15
    assert service.workspace.store.count_jobs()["PENDING"] == 5


@pytest.mark.attack(door="quotas", fault=FULL, how="distillations instead of jobs, 20 threads at once")
def test_no_more_distillations_of_a_token_wait_than_may(
    service: Service, ann: Caller, bob: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OSE_MAX_QUEUED_DISTILLATIONS", "3")
    path = f"/jobs/{bob.finished()}/distillations"
    asked = [("POST", path, {"changes": {"steps": 100 + number}}) for number in range(20)]
    assert ann.statuses(asked) == {202: 3, 429: 17}
    assert "OSE_MAX_QUEUED_DISTILLATIONS" in ann.ask("POST", path, {"changes": {"steps": 99}}).json()["detail"]
    assert bob.ask("POST", path, {"changes": {"steps": 99}}).status_code == 202


@pytest.mark.attack(door="quotas", fault=FULL, how="submitting and cancelling for ever: ended jobs are jobs")
def test_ended_jobs_do_not_pile_up(service: Service, ann: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSE_MAX_KEPT_JOBS", "3")
    for _ in range(3):
        last = ann.submit()
        assert ann.ask("POST", f"/jobs/{last}/cancel").status_code == 200
    refused = ann.ask("POST", "/jobs", service.job)
    assert refused.status_code == 429 and "OSE_MAX_KEPT_JOBS" in refused.json()["detail"]
    assert ann.ask("DELETE", f"/jobs/{last}").status_code == 200
    ann.submit()


def _try_all(caller: Caller, job_id: str) -> set[int]:
    return {
        caller.ask("POST", f"/jobs/{job_id}/cancel").status_code,
        caller.ask("POST", f"/jobs/{job_id}/resume").status_code,
        caller.ask("DELETE", f"/jobs/{job_id}").status_code,
    }


@pytest.mark.attack(door="quotas", fault=ANOTHERS, how="as found")
def test_another_tokens_job_is_not_stopped(service: Service, ann: Caller, bob: Caller) -> None:
    job_id = ann.submit()
    assert _try_all(bob, job_id) == {403}
    assert service.workspace.job(job_id).status is JobStatus.PENDING
    shown = bob.ask("GET", f"/jobs/{job_id}").json()
    assert shown["owner"] == {"id": ann.id, "name": "Ann"}
    assert ann.ask("POST", f"/jobs/{job_id}/cancel").status_code == 200


@pytest.mark.attack(door="quotas", fault=ANOTHERS, how="by the beginning of its id; this machine's; a revoked token's")
def test_no_name_of_a_job_makes_it_anybodys(service: Service, ann: Caller, bob: Caller) -> None:
    anns, here = ann.submit(), service.workspace.store.job(add_finished_job(service.workspace.store, "here").id).id
    for length in range(4, len(anns)):
        assert _try_all(bob, anns[:length]) == {403}
    assert _try_all(bob, here) == {403} == _try_all(ann, here[:3])
    service.workspace.tokens.revoke(ann.id)
    assert _try_all(ann, anns) == {401} and _try_all(bob, anns) == {403}
    assert service.run_next().id == anns  # what a revoked token has submitted still runs
    admin = service.caller("root", Scope.ADMIN)
    assert [admin.ask("DELETE", f"/jobs/{job_id}").status_code for job_id in (anns, here)] == [200, 200]
    assert service.workspace.jobs() == []


@pytest.mark.attack(door="quotas", fault=ANOTHERS, how="under its key: the same name of a submission, by another token")
def test_a_key_of_another_finds_no_job_of_it(service: Service, ann: Caller, bob: Caller) -> None:
    key = {"Idempotency-Key": "nightly"}
    anns, bobs = (caller.client.post("/jobs", json=service.job, headers=key).json() for caller in (ann, bob))
    assert (anns["owner"]["id"], bobs["owner"]["id"]) == (ann.id, bob.id)


@pytest.mark.attack(door="quotas", fault=ANOTHERS, how="through the client, whose errors are those of the server")
def test_the_client_is_told_what_the_server_says(service: Service, ann: Caller, bob: Caller) -> None:
    job_id = ann.submit()
    with RemoteWorkspace(service.url, bob.client.headers["Authorization"].split()[1]) as remote:
        with pytest.raises(ForbiddenError, match="only its owner or an administrator"):
            remote.delete(job_id)
        assert remote.job(job_id).owner.name == "Ann"
    with RemoteWorkspace(service.url, ann.client.headers["Authorization"].split()[1]) as remote:
        assert remote.delete(job_id[:6]).id == job_id
        with pytest.raises(NotFoundError):
            remote.delete(job_id)


@pytest.mark.attack(door="quotas", fault=REMOVED, how="deletions and claims at once, 20 threads")
def test_deletions_and_claims_at_once_leave_whole_jobs(service: Service, ann: Caller) -> None:
    jobs = [ann.submit() for _ in range(20)]
    claims = [threading.Thread(target=_run_all, args=[service]) for _ in range(4)]
    for claim in claims:
        claim.start()
    statuses = ann.statuses([("DELETE", f"/jobs/{job}", None) for job in jobs])
    for claim in claims:
        claim.join()
    assert set(statuses) <= {200, 409}
    left = service.workspace.jobs()
    assert len(left) == 20 - statuses[200] and {job.status for job in left} <= {JobStatus.SUCCEEDED}


def _run_all(service: Service) -> None:
    while service.coordinator().run_next() is not None:
        pass


@pytest.mark.attack(door="quotas", fault=REMOVED, how="a job is cancelled and deleted under its coordinator")
def test_a_coordinator_outlives_the_job_that_it_runs(service: Service, ann: Caller) -> None:
    first, second = ann.submit(), ann.submit()

    def stop() -> None:
        if ann.ask("GET", f"/jobs/{first}").status_code == 200:
            assert ann.ask("DELETE", f"/jobs/{first}").status_code == 409  # it runs
            assert ann.ask("POST", f"/jobs/{first}/cancel").status_code == 200
            assert ann.ask("DELETE", f"/jobs/{first}").status_code == 200

    told: list[str] = []
    serve_queue(service.coordinator(FakeBackend(before_event=stop)), told.append, until_empty=True)
    assert told == [f"job {first} cancelled", f"job {second} succeeded"]


@pytest.mark.attack(
    door="quotas", fault=REMOVED, how="read from a server's memory after it is deleted, and while it is"
)
def test_a_deleted_job_is_found_nowhere(service: Service, ann: Caller, bob: Caller) -> None:
    job_id = ann.finished()
    paths = [f"/jobs/{job_id}{each}" for each in ("", "/leaderboard", "/cost", "/candidates/1", "/exports", "/events")]
    for path in paths:
        assert bob.ask("GET", path).status_code in (200, 204)
    statuses: Counter[int] = Counter()
    asked = [("GET", path, None) for path in paths * 20]
    reading = threading.Thread(target=lambda: statuses.update(bob.statuses(asked)))
    reading.start()
    assert ann.ask("DELETE", f"/jobs/{job_id}").status_code == 200
    assert {bob.ask("GET", path).status_code for path in paths} == {404}
    reading.join()
    assert set(statuses) <= {200, 204, 404}


@pytest.mark.attack(door="quotas", fault=REMOVED, how="followed while it is deleted: the stream of events ends")
def test_the_events_of_a_deleted_job_end(service: Service, ann: Caller) -> None:
    job_id, told = ann.submit(), threading.Event()

    def follow() -> None:
        with ann.client.stream("GET", f"/jobs/{job_id}/events") as events:
            for _ in events.iter_lines():
                told.set()

    following = threading.Thread(target=follow)
    following.start()
    assert told.wait(20)
    assert ann.ask("DELETE", f"/jobs/{job_id}").status_code == 200
    following.join(20)
    assert not following.is_alive()
