"""The service from end to end: a real server, a real coordinator, `ose --server`, and connections that break.

Tests ose/client/download.py, ose/client/events.py, ose/client/parsing.py, ose/client/remote.py, ose/client/tokens.py,
ose/client/transport.py, ose/cli/tokens.py, ose/cli/quickstart.py, ose/api/students.py and
ose/students/student_json.py too.
"""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from services import add_finished_job, serving

from ose.api.dependencies import ServerOptions
from ose.client import RemoteWorkspace
from ose.core.access import Scope
from ose.errors import ConflictError, ForbiddenError, NotFoundError, ServiceError, TeacherError, UnauthenticatedError
from ose.workspace import Workspace


@pytest.fixture
def url(workspace: Workspace, tmp_path: Path) -> Iterator[str]:
    with serving(workspace, ServerOptions(data_root=tmp_path, poll_s=0.05)) as url:
        yield url


@pytest.fixture
def remote(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteWorkspace]:
    monkeypatch.setattr("ose.client.remote._POLL_S", 0.05)
    with RemoteWorkspace(url) as remote:
        yield remote


@pytest.fixture
def job_file(job, write, tmp_path: Path, tiny_roberta: Path) -> Path:
    """A job whose paths are relative to the server's data folder."""
    shutil.copytree(tiny_roberta, tmp_path / "teacher")
    job["teacher"]["model"], job["corpus"]["train"] = "teacher", ["text.txt"]
    return write(job)


@contextmanager
def cutting(target: str, after_bytes: int, cuts: int) -> Iterator[str]:
    """A proxy that cuts the first connections in the middle of a long answer."""
    host, port = target.removeprefix("http://").split(":")
    listener = socket.create_server(("127.0.0.1", 0))
    left = [cuts]

    def pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
        passed = 0
        try:
            while data := source.recv(4096):
                passed += len(data)
                sink.sendall(data)
                if limit is not None and left[0] and passed > limit:
                    left[0] -= 1
                    break
        except OSError:
            pass
        for end in (source, sink):
            end.close() if limit is None else end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, int(port)))
            for ends in ((client, server, None), (server, client, after_bytes)):
                threading.Thread(target=_quietly(pump), args=ends, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def _quietly(function):
    def run(*arguments) -> None:
        with suppress(OSError):
            function(*arguments)

    return run


def test_the_whole_walk_over_http(ose, url: str, job_file: Path, tmp_path: Path):
    submitted = ose("--server", url, "job", "submit", job_file)
    assert submitted.status == 0, submitted.err
    job_id = submitted.out.strip()
    assert job_id in ose("job", "list").out
    assert ose("coordinator", "--until-empty").status == 0
    here = json.loads(ose("leaderboard", job_id, "--format", "json").out)
    there = json.loads(ose("--server", url, "leaderboard", job_id[:4], "--format", "json").out)
    assert here == there and len(there["rows"]) == 4
    assert ose("--server", url, "leaderboard", job_id).out == ose("leaderboard", job_id).out
    shown = json.loads(ose("--server", url, "job", "show", job_id, "--format", "json").out)
    assert shown["status"] == "SUCCEEDED" and set(shown) == set(
        json.loads(ose("job", "show", job_id, "--format", "json").out)
    )
    with RemoteWorkspace(url) as remote:  # the command waits for a coordinator, which this process is to be as well
        asked = remote._transport.post(f"/jobs/{job_id}/distillations", {"changes": {"steps": 3}})
    assert asked["status"] == "PENDING"
    assert ose("coordinator", "--until-empty").status == 0
    distilled = ose("--server", url, "distill", job_id, "--steps", 3)
    assert distilled.status == 0 and "3 steps" in distilled.out
    exported = ose("--server", url, "export", job_id, "--output", tmp_path / "student")
    assert exported.status == 0, exported.err
    from transformers import AutoModelForMaskedLM

    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "student").num_parameters() > 0
    refused = ose("--server", url, "export", job_id, "--output", tmp_path / "student")
    assert refused.status == 2 and "not empty" in refused.complaint


def test_a_download_goes_on_where_connections_broke(url: str, workspace: Workspace, tmp_path: Path):
    content = bytes(range(256)) * 4000
    add_export(workspace, tmp_path / "exported", {"model.safetensors": content, "config.json": b"{}"})
    with cutting(url, after_bytes=200_000, cuts=3) as proxy, RemoteWorkspace(proxy) as remote:
        arrived: list[int] = []
        remote._progress.advance = lambda steps=1, note="": arrived.append(steps)
        summary = remote.export("job-1", tmp_path / "student")
    assert (tmp_path / "student" / "model.safetensors").read_bytes() == content
    assert summary.size_bytes == len(content) and sum(arrived) == len(content) + 2  # nothing was fetched twice
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == ["config.json", "model.safetensors"]


def test_a_file_that_is_not_what_it_should_be_is_refused(url: str, workspace: Workspace, tmp_path: Path, remote):
    add_export(workspace, tmp_path / "exported", {"model.safetensors": b"abc"})
    (tmp_path / "exported" / "model.safetensors").write_bytes(b"abd")
    with pytest.raises(ServiceError, match="does not arrive"):
        remote.export("job-1", tmp_path / "student")
    assert not (tmp_path / "student").exists()


def test_a_job_is_followed_to_its_end(ose, url: str, job_file: Path, workspace: Workspace):
    coordinator = threading.Thread(target=run_what_comes, args=[workspace])
    coordinator.start()
    outcome = ose("--server", url, "job", "run", job_file)
    coordinator.join()
    assert outcome.status == 0, outcome.err
    assert "tiny" in outcome.out and workspace.jobs()[0].id in outcome.err


@pytest.mark.long
def test_a_job_is_extended_on_the_service(ose, url: str, job_file: Path, workspace: Workspace):
    first = ose("--server", url, "job", "submit", job_file).out.strip()
    early = ose("--server", url, "job", "extend", first, "--steps", 4)
    assert early.status == 2 and "is pending" in early.complaint
    workspace.coordinator().run_next()
    coordinator = threading.Thread(target=run_what_comes, args=[workspace])
    coordinator.start()
    outcome = ose("--server", url, "job", "extend", first[:5], "--steps", 4, "--top", 2, "--format", "json")
    coordinator.join()
    assert outcome.status == 0, outcome.err
    assert [row["num_steps"] for row in json.loads(outcome.out)["rows"]] == [4, 4]


def run_what_comes(workspace: Workspace) -> None:
    while workspace.coordinator().run_next() is None:
        time.sleep(0.05)


def test_cancel_and_resume(ose, url: str, job_file: Path, workspace: Workspace):
    job_id = ose("--server", url, "job", "submit", job_file).out.strip()
    assert ose("--server", url, "job", "cancel", job_id).status == 0
    assert workspace.job(job_id).status == "CANCELLED"
    again = ose("--server", url, "job", "cancel", job_id)
    assert again.status == 2 and "ended already" in again.complaint
    with RemoteWorkspace(url) as remote:
        assert remote.resume(job_id).status == "PENDING"


def test_errors_come_back_as_they_were(remote: RemoteWorkspace, workspace: Workspace, job, tmp_path: Path):
    add_finished_job(workspace.store)
    with pytest.raises(NotFoundError):
        remote.job("none")
    with pytest.raises(ConflictError):
        remote.resume("job-1")
    with pytest.raises(NotFoundError, match="no exported student"):
        remote.export("job-1", tmp_path / "student")
    with pytest.raises(TeacherError, match="data folder"):
        remote.submit({**job, "teacher": {"model": "/etc"}})
    for name in ("", ".", "..", "a/b"):
        with pytest.raises(NotFoundError.__mro__[1], match="no id"):
            remote.job(name)


def test_a_service_that_is_not_there_is_one_line(ose):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outcome = ose("--server", f"http://127.0.0.1:{port}", "job", "list")
    assert outcome.status == 2 and "cannot be reached" in outcome.complaint
    assert "no URL" in ose("--server", "nonsense", "job", "list").complaint


def test_commands_of_this_machine_refuse_a_server(ose, url: str):
    for words in (("coordinator",), ("doctor",), ("quickstart",), ("latency", "x"), ("serve",)):
        assert "leave out --server" in ose("--server", url, *words).complaint


def test_tokens_open_a_server_from_the_command_line(ose, workspace: Workspace, tmp_path: Path, monkeypatch):
    made = ose("token", "create", "me", "--scope", "read")
    shown = made.out.strip()
    assert shown.startswith("ose_") and shown not in made.err
    with serving(workspace, ServerOptions(requires_token=True)) as url:
        with RemoteWorkspace(url) as nobody, pytest.raises(UnauthenticatedError):
            nobody.jobs()
        monkeypatch.setenv("OSE_TOKEN", shown)
        assert ose("--server", url, "job", "list", "--format", "json").out.strip() == "[]"
        assert "scope admin" in ose("--server", url, "token", "list").complaint
        with RemoteWorkspace(url, shown) as reader, pytest.raises(ForbiddenError):
            reader.cancel("x")
        with RemoteWorkspace(url, workspace.tokens.create("root", Scope.ADMIN)[1]) as admin:
            token, other = admin.tokens.create("ci", Scope.SUBMIT, 2)
            assert [each.name for each in admin.tokens.list()] == ["me", "root", "ci"]
            assert admin.tokens.revoke(token.id).revoked_at is not None
        assert "ci" in ose("token", "list").out and other not in ose("token", "list", "--format", "json").out


def test_a_server_for_others_does_not_start_without_tokens(ose):
    for host in ("0.0.0.0", "::", "example.org", "10.1.2.3"):
        outcome = ose("serve", "--host", host)
        assert outcome.status == 2 and "token create" in outcome.complaint


def test_spaces_are_those_of_the_service(ose, url: str):
    for words in (("space", "list"), ("space", "show", "minilm")):
        assert ose("--server", url, *words, "--format", "json").out == ose(*words, "--format", "json").out


def test_a_search_space_in_a_file_is_sent_along(remote: RemoteWorkspace, job, job_file: Path, tmp_path: Path, write):
    import yaml

    (tmp_path / "own.yaml").write_text(yaml.safe_dump(job["space"]))
    made = remote.submit(write({**job, "space": "own.yaml"}))
    assert made.spec.space.name == "own" and made.spec.space.size == 4


def test_the_same_key_finds_the_same_job(remote: RemoteWorkspace, job_file: Path):
    assert remote.submit(job_file, key="a").id == remote.submit(job_file, key="a").id
    assert len(remote.jobs()) == 1


def add_export(workspace: Workspace, folder: Path, files: dict[str, bytes]) -> None:
    """An export of a distilled candidate, with any files."""
    import hashlib

    import builders

    from ose.core.exports import Export, ExportFile
    from ose.core.recipe import DistillationSpec

    store = workspace.store
    add_finished_job(store)
    made = store.add_distillation("job-1", 1, DistillationSpec(), "/folder", builders.NOW)
    store.finish_distillation(made.id, builders.NOW, result=builders.distillation_result())
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    described = [
        ExportFile(name=name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in files.items()
    ]
    store.add_export(
        Export(
            id=made.id,
            job_id="job-1",
            candidate_number=1,
            architecture=builders.architecture(),
            folder=str(folder),
            files=tuple(described),
            max_logit_difference=0.0,
            created_at=builders.NOW,
        )
    )
