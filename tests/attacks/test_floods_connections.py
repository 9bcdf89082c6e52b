"""Heads without end, connections that never speak or rest, and a thousand streams: the server answers.

Tests ose/api/server.py and ose/api/protocol.py too.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import pytest
from floods import (
    JOBS,
    Server,
    assert_is_served,
    head,
    job,
    open_files,
    read_all,
    serving,
)
from processes import eventually
from services import add_finished_job

from ose.core.exports import Export
from ose.workspace import Workspace

HEADS = {"door": "floods", "fault": "a head takes memory without end"}
SLOW = {"door": "floods", "fault": "a slow caller is waited for without end"}
CONNECTIONS = {"door": "floods", "fault": "half-open connections shut everybody out"}
STREAMS = {"door": "floods", "fault": "event streams take a core"}


@contextmanager
def watched_memory(server: Server, may_grow_by: int) -> Iterator[None]:
    server.ask("GET", "/healthz")
    before, most = server.memory_bytes(), 0
    yield
    most = server.memory_bytes()
    assert most - before < may_grow_by, f"it grew by {(most - before) / 2**20:.0f} MiB"


def flood(server: Server, beginning: bytes, piece: bytes, total_bytes: int = 100_000_000) -> bytes:
    """Send pieces until so many bytes are sent or the server has had enough; what it says."""
    with server.connect(beginning, timeout_s=10) as connection:
        with suppress(OSError):
            for _ in range(total_bytes // len(piece)):
                connection.sendall(piece)
        with suppress(OSError):
            connection.settimeout(5)
            return connection.recv(65_536)
    return b""


UNFINISHED = head()[:-2]
CHUNKED = head("POST", JOBS, **{"Transfer-Encoding": "chunked", "Content-Type": "application/json"})
ENDLESS = {
    "many fields": (UNFINISHED, (b"X-Field: " + b"x" * 1000 + b"\r\n") * 100),
    "one field": (UNFINISHED + b"X-Field: ", b"x" * 100_000),
    "the address asked for": (b"GET /", b"x" * 100_000),
    "trailers": (CHUNKED + b"2\r\n{}\r\n0\r\n", (b"X-Field: " + b"x" * 1000 + b"\r\n") * 100),
    "what is said of a chunk": (CHUNKED + b"2;", b"x" * 100_000),
}


@pytest.mark.attack(**HEADS, how="as found")
def test_a_hundred_megabytes_of_fields(tmp_path: Path, data_root: Path) -> None:
    assert_head_is_refused(tmp_path, data_root, "many fields")


@pytest.mark.flood
@pytest.mark.parametrize("where", list(ENDLESS)[1:])
@pytest.mark.attack(**HEADS, how="one field, the address, trailers and a chunk's extension without end")
def test_a_hundred_megabytes_elsewhere(tmp_path: Path, data_root: Path, where: str) -> None:
    assert_head_is_refused(tmp_path, data_root, where)


def assert_head_is_refused(home: Path, data_root: Path, where: str) -> None:
    with serving(home, data_root) as server, watched_memory(server, may_grow_by=30_000_000):
        answer = flood(server, *ENDLESS[where])
        assert not answer or b" 431 " in answer or b" 400 " in answer or b"HTTP/1.1 4" in answer
        assert_is_served(server)


def test_a_head_that_is_too_long_is_told_its_setting(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root) as server:
        answer = server.ask("GET", "/healthz", **{"X-Field": "x" * 70_000})
        assert answer.status == 431 and "OSE_MAX_HEAD_BYTES" in answer.problem["detail"]
        assert server.ask("GET", "/healthz", **{"X-Field": "x" * 60_000}).status == 200


@pytest.mark.attack(**HEADS, how="ten thousand requests before the first answer")
def test_requests_that_run_ahead_of_their_answers(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root) as server, watched_memory(server, may_grow_by=30_000_000):
        with server.connect() as connection:
            with suppress(OSError):
                connection.sendall(head(path="/api/v1/spaces") * 10_000)
            answers = read_all(connection)
        assert answers.count(b"HTTP/1.1") < 100
        assert_is_served(server)


DRIPS = {
    "a head": (b"", head() + b"x"),
    "empty lines": (b"", b"\r\n" * 100),
    "a body": (head("POST", JOBS, **{"Content-Length": "1000", "Content-Type": "application/json"}), b"{" * 100),
    "a body after its refusal": (head("POST", "/none", **{"Content-Length": "1000"}), b"{" * 100),
}
QUICK = {"OSE_MAX_HEAD_S": "2", "OSE_MAX_BODY_S": "2"}


@pytest.mark.attack(**SLOW, how="one byte of a head each half second")
def test_a_slow_head(tmp_path: Path, data_root: Path) -> None:
    assert_is_cut(tmp_path, data_root, "a head")


@pytest.mark.flood
@pytest.mark.parametrize("what", list(DRIPS)[1:])
@pytest.mark.attack(**SLOW, how="a byte of a body, of empty lines, and of what was refused already")
def test_other_slowness(tmp_path: Path, data_root: Path, what: str) -> None:
    assert_is_cut(tmp_path, data_root, what)


def assert_is_cut(home: Path, data_root: Path, what: str) -> None:
    beginning, rest = DRIPS[what]
    with serving(home, data_root, more=QUICK) as server, server.connect(beginning) as connection:
        began = time.monotonic()
        with suppress(OSError):
            for byte in rest:
                connection.sendall(bytes([byte]))
                time.sleep(0.5)
                assert time.monotonic() - began < 15, "it is still listened to"
        told = read_all(connection)
        assert not told or b" 408 " in told


@pytest.mark.attack(**SLOW, how="an answer that is never read")
def test_an_answer_that_is_never_read(tmp_path: Path, data_root: Path) -> None:
    add_export(tmp_path / "home", tmp_path / "exported", 100_000_000)
    with serving(tmp_path / "home", data_root, more={"OSE_MAX_UNREAD_S": "2"}) as server:
        asked = head(path=f"{JOBS}/job-1/exports/1/files/model.safetensors")
        with server.connect(asked) as connection:
            assert eventually(lambda: server.num_connections() > 0, within_s=15)
            assert eventually(lambda: not server.num_connections(), within_s=15)
            assert len(read_all(connection)) < 100_000_000
        read = server.ask("GET", f"{JOBS}/job-1/exports/1/files/model.safetensors")
        assert len(read.body) == 100_000_000  # one that reads has all the time it needs


def add_export(home: Path, folder: Path, size_bytes: int) -> None:
    import builders

    from ose.core.exports import ExportFile
    from ose.core.recipe import DistillationSpec

    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as file:
        file.truncate(size_bytes)
    with Workspace(home) as workspace:
        add_finished_job(workspace.store)
        made = workspace.store.add_distillation("job-1", 1, DistillationSpec(), "/folder", builders.NOW)
        workspace.store.finish_distillation(made.id, builders.NOW, result=builders.distillation_result())
        exported = Export(
            id=made.id,
            job_id="job-1",
            candidate_number=1,
            architecture=builders.architecture(),
            folder=str(folder),
            files=(ExportFile(name="model.safetensors", size_bytes=size_bytes, sha256="0" * 64),),
            max_logit_difference=0.0,
            created_at=builders.NOW,
        )
        workspace.store.add_export(exported)


@pytest.mark.attack(**CONNECTIONS, how="as found")
def test_half_open_connections(tmp_path: Path, data_root: Path) -> None:
    assert_leaves_room(tmp_path, data_root, b"GET /healthz HTTP/1.1\r\n")


@pytest.mark.attack(**CONNECTIONS, how="that have been answered, and rest")
def test_resting_connections(tmp_path: Path, data_root: Path) -> None:
    assert_leaves_room(tmp_path, data_root, head(), OSE_MAX_IDLE_S="60")


@pytest.mark.attack(**CONNECTIONS, how="that send a body which nobody wants, from another address")
def test_connections_with_unwanted_bodies(tmp_path: Path, data_root: Path) -> None:
    refused = head("POST", JOBS, **{"Content-Length": "900000", "Content-Type": "application/json"})
    assert_leaves_room(tmp_path, data_root, refused + b"x" * 100, source="127.0.0.7", callers=("good",))


def assert_leaves_room(
    home: Path,
    data_root: Path,
    sent: bytes,
    source: str = "127.0.0.1",
    callers: tuple[str, ...] = (),
    **more: str,
) -> None:
    """2,100 of them, more than the server holds, and it answers others from the same address."""
    open_files(3000)
    with serving(home, data_root, callers, more) as server, ExitStack() as held:
        for _ in range(2100):
            connection = socket.create_connection(("127.0.0.1", server.port), 20, (source, 0))
            held.enter_context(closing(connection))
            with suppress(OSError):
                connection.sendall(sent)
        assert server.num_connections() <= 1500
        assert_is_served(server, by=callers[0] if callers else None)


STREAMING = {"OSE_MAX_STREAMS_OF_CALLER": "1000", "OSE_MAX_CONNECTIONS_OF_ADDRESS": "2000"}


@pytest.mark.flood
@pytest.mark.attack(**STREAMS, how="as found")
def test_a_thousand_streams_of_one_job(tmp_path: Path, data_root: Path) -> None:
    assert_streams_are_cheap(tmp_path, data_root, num_jobs=1)


@pytest.mark.flood
@pytest.mark.attack(**STREAMS, how="of a hundred jobs")
def test_a_thousand_streams_of_many_jobs(tmp_path: Path, data_root: Path) -> None:
    assert_streams_are_cheap(tmp_path, data_root, num_jobs=100)


def assert_streams_are_cheap(home: Path, data_root: Path, num_jobs: int) -> None:
    open_files(3000)
    with serving(home, data_root, more=STREAMING) as server, ExitStack() as held:
        made = [server.ask("POST", JOBS, job()).problem["id"] for _ in range(num_jobs)]
        streams = []
        for number in range(1000):
            asked = head(path=f"{JOBS}/{made[number % num_jobs]}/events")
            streams.append(held.enter_context(server.connect(asked)))
        for stream in streams:
            assert b" 200 " in stream.recv(4096)
        assert processor_share(server, over_s=10) < 0.1
        assert server.ask("GET", f"{JOBS}/{made[0]}/events").status == 503
        server.ask("POST", f"{JOBS}/{made[0]}/cancel")
        assert b"CANCELLED" in read_all(streams[0])
        assert server.ask("GET", f"{JOBS}/{made[0]}").status == 200


def processor_share(server: Server, over_s: float) -> float:
    """Of one core."""
    used = sum(server.process.cpu_times()[:2])
    time.sleep(over_s)
    return (sum(server.process.cpu_times()[:2]) - used) / over_s


@pytest.mark.attack(**STREAMS, how="more than one token may have, and some that have left")
def test_streams_of_one_token(tmp_path: Path, data_root: Path) -> None:
    limits = {"OSE_MAX_STREAMS_OF_CALLER": "3"}
    with serving(tmp_path, data_root, ("many", "good"), limits) as server:
        path = f"{JOBS}/{server.ask('POST', JOBS, job(), by='good').problem['id']}/events"
        with ExitStack() as held:
            for _ in range(3):
                stream = held.enter_context(server.connect(head(path=path, **server.credentials("many"))))
                assert b" 200 " in stream.recv(4096)
            refused = server.ask("GET", path, by="many")
            assert refused.status == 503 and refused.headers["retry-after"]
            with server.connect(head(path=path, **server.credentials("good"))) as stream:
                assert b" 200 " in stream.recv(4096)
        with server.connect() as probe:  # those that have left hold no place
            assert eventually(lambda: _streams_again(server, path), within_s=10)
            probe.close()


def _streams_again(server: Server, path: str) -> bool:
    with server.connect(head(path=path, **server.credentials("many"))) as stream:
        return b" 200 " in stream.recv(4096)
