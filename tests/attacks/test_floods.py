"""Requests that never end, connections that never speak, and more of both than anybody needs: the server answers.

Each attack is on a real `ose serve`. Times are generous, since machines that test are busy; what did not hold before
took minutes or for ever.

Tests ose/api/server.py and ose/api/protocol.py too.
"""

from __future__ import annotations

import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from floods import Answer, Server, at_once, head, open_files, read_all, serving, silent_hub
from processes import eventually
from services import add_finished_job

from ose.core.exports import Export
from ose.workspace import Workspace

SOON_S = 10.0
"""What is answered in milliseconds on an idle machine, on a busy one."""

JOBS = "/api/v1/jobs"
SUBMISSIONS = {"door": "floods", "fault": "slow submissions stop the server"}
DEADLINE = {"door": "floods", "fault": "a submission that hangs holds its place for ever"}
LEFT = {"door": "floods", "fault": "a submission goes on after its caller has left"}
ONE_TOKEN = {"door": "floods", "fault": "one token takes every place"}
HEADS = {"door": "floods", "fault": "a head takes memory without end"}
SLOW = {"door": "floods", "fault": "a slow caller is waited for without end"}
CONNECTIONS = {"door": "floods", "fault": "half-open connections shut everybody out"}
STREAMS = {"door": "floods", "fault": "event streams take a core"}
THREADS = {"door": "floods", "fault": "requests that wait for the database take every thread"}
PROCESSES = {"door": "floods", "fault": "what checks outlives its server"}


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory, tiny_roberta: Path, real_text: list[str]) -> Path:
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(tiny_roberta, root / "teacher")
    (root / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text))
    with (root / "endless.txt").open("wb") as file:  # takes no room, and minutes to read
        file.write(b"some text\n" * 10_000)
        file.truncate(200 * 2**30)
    return root


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with silent_hub() as url:
        yield url


def job(**changes: Any) -> dict[str, Any]:
    """One that can be checked in no time."""
    content: dict[str, Any] = {
        "name": "tiny",
        "teacher": {"model": "teacher"},
        "corpus": {"train": ["text.txt"], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [4],
            "hidden_size": [16, 32],
            "intermediate_size": [64],
        },
        "latency": {"sequence_length": 16, "max_attempts": 1},
    }
    return content | changes


HANGS = {
    "a teacher of a silent hub": {"teacher": {"model": "somebody/model"}},
    "a dataset of a silent hub": {"corpus": {"train": ["hf:somebody/text"], "sequence_length": 16}},
    "a text without end": {"corpus": {"train": ["endless.txt"], "sequence_length": 16}},
}


def hangs(how: str) -> dict[str, Any]:
    return job(**HANGS[how])


def assert_is_served(server: Server, by: str | None = None) -> None:
    """Whoever asks for health, a list or a check of a good job is answered as ever."""
    assert server.slowest_health_s() < SOON_S
    assert server.ask("GET", "/readyz").seconds < SOON_S
    listed, made = server.ask("GET", JOBS, by=by), server.ask("POST", JOBS, job(), by=by)
    assert (listed.status, made.status) == (200, 201)
    assert listed.seconds < SOON_S and made.seconds < SOON_S


@pytest.mark.attack(**SUBMISSIONS, how="as found")
def test_forty_slow_submissions(tmp_path: Path, data_root: Path, hub: str) -> None:
    with serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server:
        assert server.ask("POST", JOBS, job(), by="good").status == 201
        with at_once(server, 40, "POST", JOBS, hangs("a teacher of a silent hub"), by="slow"):
            assert eventually(lambda: len(server.checkers()) >= 4)
            assert_is_served(server, by="good")
            assert len(server.checkers()) <= 5


@pytest.mark.flood
@pytest.mark.parametrize("how", list(HANGS)[1:])
@pytest.mark.attack(**SUBMISSIONS, how="through a dataset's name, and a text of 200 GiB, both from several tokens")
def test_slow_submissions_of_other_kinds(tmp_path: Path, data_root: Path, hub: str, how: str) -> None:
    with (
        serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server,
        at_once(server, 40, "POST", JOBS, hangs(how), by="slow"),
    ):
        assert eventually(lambda: len(server.checkers()) >= 4)
        assert_is_served(server, by="good")


@pytest.mark.attack(**DEADLINE, how="as found")
def test_a_hub_that_says_nothing_is_given_up(tmp_path: Path, data_root: Path, hub: str) -> None:
    limits = {"OSE_MAX_SUBMISSION_S": "2", "OSE_MAX_SUBMISSIONS": "1", "HF_ENDPOINT": hub}
    with serving(tmp_path, data_root, more=limits) as server:
        assert_ends(server, server.ask("POST", JOBS, hangs("a teacher of a silent hub")))


@pytest.mark.attack(**DEADLINE, how="a text of 200 GiB, under a key")
def test_a_text_without_end_is_given_up(tmp_path: Path, data_root: Path) -> None:
    limits = {"OSE_MAX_SUBMISSION_S": "2", "OSE_MAX_SUBMISSIONS": "1"}
    with serving(tmp_path, data_root, more=limits) as server:
        asked = "POST", JOBS, hangs("a text without end")
        assert_ends(server, server.ask(*asked, **{"Idempotency-Key": "a"}))
        assert server.ask("POST", JOBS, job(), **{"Idempotency-Key": "a"}).status == 201  # the key stands for nothing


def assert_ends(server: Server, answer: Answer) -> None:
    assert answer.status == 422 and answer.seconds < 10, answer
    assert answer.problem["code"] == "too_slow" and "OSE_MAX_SUBMISSION_S" in answer.problem["detail"]
    assert server.ask("GET", JOBS).body.count(b'"id"') == 0
    assert server.ask("POST", JOBS, job(name="good")).status == 201  # the one place is free again


@pytest.mark.attack(**LEFT, how="as found")
def test_a_pattern_over_many_folders_ends_when_its_caller_leaves(tmp_path: Path, data_root: Path) -> None:
    make_tree(data_root / "tree")
    pattern = job(corpus={"train": ["tree/" + "*/" * 5 + "**/*.txt"], "sequence_length": 16})
    assert_ends_with_its_caller(tmp_path, data_root, pattern)


@pytest.mark.attack(**LEFT, how="while the hub says nothing")
def test_a_question_to_the_hub_ends_when_its_caller_leaves(tmp_path: Path, data_root: Path, hub: str) -> None:
    assert_ends_with_its_caller(tmp_path, data_root, hangs("a teacher of a silent hub"), HF_ENDPOINT=hub)


def make_tree(top: Path, width: int = 7, depth: int = 5) -> None:
    """Some twenty thousand folders without a text."""
    top.mkdir()
    for number in range(width):
        if depth:
            make_tree(top / str(number), width, depth - 1)


def assert_ends_with_its_caller(home: Path, data_root: Path, content: dict[str, Any], **more: str) -> None:
    import json

    with serving(home, data_root, more={"OSE_MAX_SUBMISSIONS": "1", **more}) as server:
        assert server.ask("POST", JOBS, job()).status == 201
        [first] = server.checkers()
        body = json.dumps(content).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        with server.connect(head("POST", JOBS, **fields) + body):
            time.sleep(0.5)
        assert eventually(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE, within_s=10)
        assert server.ask("POST", JOBS, job()).status == 201


@pytest.mark.flood
@pytest.mark.attack(**ONE_TOKEN, how="as found")
def test_a_thousand_hanging_submissions_of_one_token(tmp_path: Path, data_root: Path, hub: str) -> None:
    open_files(3000)
    with serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server:
        assert server.ask("POST", JOBS, job(), by="good").status == 201
        with at_once(server, 1000, "POST", JOBS, hangs("a teacher of a silent hub"), by="slow") as answers:
            assert eventually(lambda: len(server.checkers()) >= 4)
            assert_is_served(server, by="good")
            assert eventually(lambda: len(answers) > 900, within_s=60)
            assert_is_served(server, by="good")
        assert {answer.status for answer in answers} == {503}
        assert all("OSE_MAX_" in answer.problem["detail"] and answer.headers["retry-after"] for answer in answers)


@pytest.mark.attack(**ONE_TOKEN, how="with bodies that never end")
def test_bodies_that_never_end_take_no_others_places(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root, ("slow", "good"), {"OSE_MAX_WAIT_S": "1"}) as server, ExitStack() as held:
        fields = {"Content-Type": "application/json", "Content-Length": "900000", **server.credentials("slow")}
        for _ in range(100):
            held.enter_context(server.connect(head("POST", JOBS, **fields) + b'{"name": "' + b"x" * 50_000))
        assert_is_served(server, by="good")
        refused = server.ask("POST", JOBS, job(), by="slow")
        assert refused.status == 503 and "OSE_MAX_BODIES" in refused.problem["detail"]


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


@pytest.mark.attack(**THREADS, how="a hundred changes while another process keeps the database locked")
def test_changes_that_wait_for_the_database(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root, ("many", "good"), {"OSE_MAX_WAIT_S": "1"}) as server:
        job_id = server.ask("POST", JOBS, job(), by="many").problem["id"]
        with closing(sqlite3.connect(tmp_path / "ose.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with at_once(server, 100, "POST", f"{JOBS}/{job_id}/cancel", by="many") as answers:
                assert eventually(lambda: len(answers) >= 90)
                assert {answer.status for answer in answers} == {503}
                assert all("OSE_MAX_CHANGES" in answer.problem["detail"] for answer in answers)
                assert server.slowest_health_s() < SOON_S
                for path in (JOBS, f"{JOBS}/{job_id}", "/readyz"):
                    answer = server.ask("GET", path, by="good")
                    assert answer.status == 200 and answer.seconds < SOON_S
                other.execute("COMMIT")
        assert server.ask("POST", f"{JOBS}/{job_id}/resume", by="many").status == 200


@pytest.mark.attack(**THREADS, how="a hundred costs of a large space at once")
def test_costs_are_worked_out_elsewhere(tmp_path: Path, data_root: Path) -> None:
    axes = {"hidden_size": list(range(4, 4004, 4)), "intermediate_size": list(range(1, 101))}
    space = {"num_hidden_layers": [1, 2], "num_attention_heads": [4], **axes}
    large = job(space=space, search={"strategy": "random", "num_candidates": 100_000, "initialization": "random"})
    with serving(tmp_path, data_root, ("many", "good"), {"OSE_MAX_WAIT_S": "1", "OSE_MAX_SUBMISSION_S": "2"}) as server:
        made = server.ask("POST", JOBS, large, by="many")
        assert made.status == 201, made.body
        with at_once(server, 100, "GET", f"{JOBS}/{made.problem['id']}/cost", by="many"):
            assert server.slowest_health_s() < SOON_S
            assert server.ask("POST", JOBS, job(), by="good").status == 201


@pytest.mark.attack(**PROCESSES, how="a server that is killed while the hub says nothing")
def test_checkers_end_with_their_server(tmp_path: Path, data_root: Path, hub: str) -> None:
    with (
        serving(tmp_path, data_root, more={"HF_ENDPOINT": hub}) as server,
        at_once(server, 6, "POST", JOBS, hangs("a teacher of a silent hub")),
    ):
        assert eventually(lambda: len(server.checkers()) == 6)
        below = server.process.children(recursive=True)
        server.process.kill()
        assert not psutil.wait_procs(below, timeout=10)[1]


@pytest.mark.attack(**PROCESSES, how="the process that makes them is killed")
def test_a_server_makes_new_checkers(tmp_path: Path, data_root: Path, hub: str) -> None:
    with serving(tmp_path, data_root, more={"HF_ENDPOINT": hub}) as server:
        with at_once(server, 2, "POST", JOBS, hangs("a teacher of a silent hub")) as answers:
            assert eventually(lambda: len(server.checkers()) == 2)
            below = server.process.children(recursive=True)
            server.process.children()[0].kill()
            assert not psutil.wait_procs(below[1:], timeout=10)[1]
            assert eventually(lambda: [answer.status for answer in answers] == [422, 422])
        assert server.ask("POST", JOBS, job()).status == 201
