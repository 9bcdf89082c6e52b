"""A real `ose serve`, and callers that behave badly towards it: slow, endless, deaf or many. All on loopback."""

from __future__ import annotations

import http.client
import json
import resource
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from processes import ose

SOON_S = 10.0
"""What is answered in milliseconds on an idle machine, on a busy one."""

JOBS = "/api/v1/jobs"


@dataclass(slots=True, kw_only=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def problem(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass(slots=True, kw_only=True)
class Server:
    """`ose serve` as a process.

    Attributes:
        process: The server.
        port: On which it listens.
        tokens: By the names that were asked for.
    """

    process: psutil.Process
    port: int
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(
        self, method: str, path: str, body: Any = None, *, by: str | None = None, timeout_s: float = 60, **headers: str
    ) -> Answer:
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        with ExitStack() as stack:
            stack.callback(connection.close)
            sent = {"Content-Type": "application/json", **self.credentials(by), **headers}
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            response = connection.getresponse()
            content = response.read()
        return Answer(
            status=response.status,
            headers=dict(response.getheaders()),
            body=content,
            seconds=time.perf_counter() - began,
        )

    def credentials(self, by: str | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[by]}"} if by else {}

    def connect(self, sent: bytes = b"", timeout_s: float = 20, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection that has sent some bytes."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout_s, source_address=(source, 0))
        connection.sendall(sent)
        return connection

    def slowest_health_s(self, over_s: float = 1.0) -> float:
        """Of many questions, by both methods."""
        deadline, slowest = time.monotonic() + over_s, 0.0
        while time.monotonic() < deadline:
            for method in ("GET", "HEAD"):
                answer = self.ask(method, "/healthz", timeout_s=30)
                assert answer.status == 200
                slowest = max(slowest, answer.seconds)
            time.sleep(0.02)
        return slowest

    def memory_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def num_connections(self) -> int:
        """Those that it holds open."""
        return sum(each.status == psutil.CONN_ESTABLISHED for each in self.process.net_connections("inet"))

    def checkers(self) -> list[psutil.Process]:
        """The processes below it that check submissions."""
        return [each for top in self.process.children() for each in top.children()]


@contextmanager
def serving(
    home: Path, data_root: Path, callers: tuple[str, ...] = (), more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run `ose serve` with a token of scope submit for each caller."""
    tokens = _tokens(home, callers)
    environment = {"HF_HUB_DISABLE_TELEMETRY": "1", **(more or {})}
    with ose(home, "serve", "--port", "0", "--data-root", str(data_root), more=environment) as run:
        told: list[str] = []
        threading.Thread(target=lambda: told.extend(run.stderr), daemon=True).start()
        server = Server(process=psutil.Process(run.pid), port=0, tokens=tokens)
        _wait_until_ready(server, run, told)
        yield server
        with suppress(psutil.NoSuchProcess):
            below = server.process.children(recursive=True)
            run.kill()
            assert not psutil.wait_procs(below, timeout=10)[1]  # none outlives its server


def _tokens(home: Path, callers: tuple[str, ...]) -> dict[str, str]:
    from ose.core.access import Scope
    from ose.workspace import Workspace

    with Workspace(home) as workspace:
        return {name: workspace.tokens.create(name, Scope.SUBMIT)[1] for name in callers}


def _wait_until_ready(server: Server, run: subprocess.Popen[str], told: list[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError, psutil.Error):
            server.port = next(iter(_listening_ports(server.process)), 0)
            if server.port and server.ask("GET", "/readyz").status == 200:
                return
        assert run.poll() is None, f"the server has not started: {''.join(told)}"
        time.sleep(0.1)
    raise AssertionError("the server is not ready")


def _listening_ports(process: psutil.Process) -> list[int]:
    """A port that was free a moment ago may be another test's by now, so the server chooses its own."""
    return [each.laddr.port for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]


@contextmanager
def silent_hub() -> Iterator[str]:
    """Accepts every connection and says nothing; yields its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener, ExitStack() as held:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.enter_context(listener.accept()[0])

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@contextmanager
def at_once(server: Server, count: int, *request: Any, by: str | None = None) -> Iterator[list[Answer]]:
    """Send the same request from so many threads, and leave them waiting; what is answered gathers in the list."""
    answers: list[Answer] = []

    def send() -> None:
        with suppress(OSError, http.client.HTTPException):
            answers.append(server.ask(*request, by=by, timeout_s=120))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield answers


def open_files(count: int) -> None:
    """Let this process have so many open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, count)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        import pytest

        pytest.skip(f"this process may not open {count} files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def read_all(connection: socket.socket, within_s: float = 20) -> bytes:
    """What comes until the other end closes."""
    connection.settimeout(within_s)
    content = b""
    with suppress(ConnectionError):
        while some := connection.recv(65_536):
            content += some
    return content


def head(method: str = "GET", path: str = "/healthz", **fields: str) -> bytes:
    """A request's head, complete."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


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
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
    }
    return content | changes


def assert_is_served(server: Server, by: str | None = None) -> None:
    """Questions about health, a list, and a good job are answered as ever."""
    assert server.slowest_health_s() < SOON_S
    assert server.ask("GET", "/readyz").seconds < SOON_S
    listed, made = server.ask("GET", JOBS, by=by), server.ask("POST", JOBS, job(), by=by)
    assert (listed.status, made.status) == (200, 201)
    assert listed.seconds < SOON_S and made.seconds < SOON_S
