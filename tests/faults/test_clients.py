"""Many clients at once, and a server that is killed under them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from fault_jobs import job_file
from floods import at_once, serving, silent_hub
from processes import ROOT, eventually

from ose.client import RemoteWorkspace
from ose.core.job import Job, JobStatus
from ose.errors import BusyError, ServiceError
from ose.store.base import Store
from ose.store.database import open_store

NUM_CLIENTS = 50


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with closing(open_store(store_url)) as store:
        yield store


@pytest.fixture
def content(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> dict[str, Any]:
    """A job as it is sent: its paths are below the server's data folder."""
    content = yaml.safe_load(job_file(tmp_path, tiny_roberta, real_text).read_text())
    shutil.copytree(tiny_roberta, tmp_path / "teacher")
    return {**content, "teacher": {"model": "teacher"}, "corpus": {**content["corpus"], "train": ["text.txt"]}}


@pytest.fixture
def serve(store_url: str, tmp_path: Path, tiny_roberta: Path) -> Callable[[int], Any]:
    """Start `ose serve` on a port."""
    environment = {
        **os.environ,
        "OSE_HOME": str(tmp_path / "home"),
        "OSE_DATABASE_URL": store_url,
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }

    @contextmanager
    def started(port: int) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "ose", "serve", "--port", str(port), "--data-root", str(tmp_path)]
        with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server:
            try:
                assert eventually(lambda: _answers(port), 60)
                yield server
            finally:
                server.kill()

    return started


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def submit_all(port: int, content: dict[str, Any], key: Callable[[int], str]) -> list[Job]:
    """As many people as that, each from a connection of their own; whoever gets no answer, or no place, asks again."""

    def submit(number: int) -> Job:
        with RemoteWorkspace(f"http://127.0.0.1:{port}") as remote:
            while True:
                with suppress(ServiceError, BusyError):
                    return remote.submit({**content, "name": f"job-{key(number)}"}, key(number))

    with ThreadPoolExecutor(NUM_CLIENTS) as pool:
        return list(pool.map(submit, range(NUM_CLIENTS)))


def test_clients_that_submit_at_once_get_a_job_for_each_key(
    serve: Callable[[int], Any], store: Store, content: dict[str, Any]
) -> None:
    port = free_port()
    with serve(port):
        jobs = submit_all(port, content, str)
        assert len({job.id for job in jobs}) == NUM_CLIENTS
        assert {job.id for job in store.jobs(200)} == {job.id for job in jobs}
        [same] = {job.id for job in submit_all(port, content, lambda _: "same")}
    assert {job.name for job in store.jobs(200)} == {"job-same", *(f"job-{number}" for number in range(NUM_CLIENTS))}
    assert store.job(same).status is JobStatus.PENDING


@pytest.mark.long
def test_a_server_killed_under_its_clients_makes_no_job_twice(
    serve: Callable[[int], Any], store: Store, content: dict[str, Any]
) -> None:
    port = free_port()
    with ThreadPoolExecutor(1) as clients:
        with serve(port) as server:
            submitted = clients.submit(submit_all, port, content, str)
            assert eventually(lambda: len(store.jobs(200)) >= 5, 60)
            server.kill()
            server.wait()
        with serve(port):
            jobs = submitted.result(timeout=120)
    assert {job.id for job in store.jobs(200)} == {job.id for job in jobs}
    assert len({job.id for job in jobs}) == NUM_CLIENTS


def test_a_client_comes_back_when_the_server_asks_it_to(tmp_path: Path, content: dict[str, Any]) -> None:
    """The only place is taken for longer than attempts without a pause go on, and free after the pause asked for."""
    limits = {"OSE_MAX_SUBMISSIONS": "1", "OSE_MAX_SUBMISSION_S": "4", "OSE_MAX_WAIT_S": "0"}
    hangs = {**content, "teacher": {"model": "somebody/model"}}
    with (
        silent_hub() as hub,
        serving(tmp_path / "home", tmp_path, more={**limits, "HF_ENDPOINT": hub}) as server,
        RemoteWorkspace(f"http://127.0.0.1:{server.port}") as remote,
        at_once(server, 2, "POST", "/api/v1/jobs", hangs) as answers,
    ):
        assert eventually(lambda: [answer.status for answer in answers] == [503])
        assert remote.submit(content).status is JobStatus.PENDING
