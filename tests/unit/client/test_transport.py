"""Pauses between attempts, from a service that really asks for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ose.client.transport import Transport
from ose.errors import BusyError

BUSY = b'{"code": "busy", "detail": "no place for you now"}'


class _Service(ThreadingHTTPServer):
    """Has no place for the first requests; remembers when each came."""

    def __init__(self, num_busy: int, retry_after: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.num_busy, self.retry_after, self.asked_at = num_busy, retry_after, list[float]()


class _Handler(BaseHTTPRequestHandler):
    server: _Service

    def do_GET(self) -> None:
        self.server.asked_at.append(time.monotonic())
        is_busy = len(self.server.asked_at) <= self.server.num_busy
        body = BUSY if is_busy else b'{"answer": 42}'
        self.send_response(503 if is_busy else 200)
        self.send_header("Content-Length", str(len(body)))
        if is_busy:
            self.send_header("Retry-After", self.server.retry_after)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@contextmanager
def service(num_busy: int, retry_after: str) -> Iterator[tuple[_Service, Transport]]:
    with _Service(num_busy, retry_after) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        transport = Transport(f"http://127.0.0.1:{server.server_port}", pause_s=0.001)
        try:
            yield server, transport
        finally:
            transport.close()
            server.shutdown()
            thread.join()


@pytest.mark.slow
def test_a_service_is_left_alone_for_as_long_as_it_asks() -> None:
    with service(2, "1") as (server, transport):
        assert transport.get("/jobs") == {"answer": 42}
        first, second, third = server.asked_at
    assert second - first >= 1 and third - second >= 1


@pytest.mark.parametrize("retry_after", ["61", "9" * 5_000])
def test_a_pause_beyond_all_patience_is_not_begun(retry_after: str) -> None:
    with service(1, retry_after) as (server, transport), pytest.raises(BusyError, match="no place for you now"):
        transport.get("/jobs")
    assert len(server.asked_at) == 1


@pytest.mark.parametrize("retry_after", ["", "-5", "soon", "Wed, 21 Oct 2099 07:28:00 GMT", "٣"])
def test_what_is_no_number_of_seconds_is_not_followed(retry_after: str) -> None:
    with service(3, retry_after.encode().decode("latin1")) as (server, transport):
        assert transport.get("/jobs") == {"answer": 42}
    assert len(server.asked_at) == 4


def test_attempts_end_where_every_place_stays_taken() -> None:
    with service(100, "0") as (server, transport), pytest.raises(BusyError):
        transport.get("/jobs")
    assert len(server.asked_at) == 4
