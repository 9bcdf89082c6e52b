"""HTTP as uvicorn speaks it, to callers that may be slow, endless or deaf: bounds on what a connection takes."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from ose.api.door import Door
from ose.api.problems import problem
from ose.limits import OperatorLimits, setting_of

_MOST_AHEAD = 8
"""Requests sent before the answer to an earlier one; each waits in memory."""

_LINGER_S = 1.0
"""A refused caller may still be sending. Closing at once would throw away the refusal before it is read."""

_HEAD, _BODY = "max_head_s", "max_body_s"
"""Parts of a request, by the settings that bound their time."""

_Timer = asyncio.TimerHandle | None


class _Refusal(Exception):
    """Ends parsing; the connection is over."""


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose heads are bounded in size and time, its bodies and its silence in time.

    Args:
        door: Who is connected.
        operator: The bounds.
        options: uvicorn's.
    """

    def __init__(self, door: Door, operator: OperatorLimits, **options: Any) -> None:
        super().__init__(**options)
        self._door = door
        self._operator = operator
        self._beside_body = 0
        self._part: str | None = None
        self._timed_part: str | None = None
        self._arriving: _Timer = None
        self._leaving: _Timer = None
        self._is_refused = False

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, if there is room."""
        super().connection_made(transport)
        if self._door.enter(self, self.client[0] if self.client else ""):
            self._time_arrival()
        else:
            self._refuse(503, "busy", f"every connection is at work ({setting_of('max_connections')}); try again later")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        _stop(self._arriving)
        _stop(self._leaving)
        self._door.leave(self)
        super().connection_lost(exc)

    def show_out(self) -> None:
        """End it at once."""
        self.transport.abort()

    # What arrives

    def data_received(self, data: bytes) -> None:
        """Parse it, within the bounds."""
        if self._is_refused or self.transport.is_closing():
            return
        self._beside_body += len(data)
        super().data_received(data)
        if self._is_refused:
            return
        if self._beside_body > self._operator.max_head_bytes:
            self._refuse_head()
        else:
            self._time_arrival()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._part = _HEAD
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._part = _BODY
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > self._operator.max_head_bytes:
            self._refuse_head()
            raise _Refusal
        if len(self.pipeline) >= _MOST_AHEAD:
            self._refuse(400, "bad_request", "too many requests ahead of their answers")
            raise _Refusal
        self._door.work(self)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Some of its body is there."""
        self._beside_body -= len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._part = None
        self._beside_body = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; what was refused already has its answer."""
        if not self._is_refused:
            self._refuse(400, "bad_request", msg)

    def _time_arrival(self) -> None:
        """Give what has begun to arrive its time; each part of a request has its own."""
        part = self._part
        if part is None and (self.cycle is None or self.cycle.response_complete):
            part = _HEAD  # also where nothing but empty lines comes
        if part == self._timed_part:
            return
        _stop(self._arriving)
        self._timed_part = part
        if part is not None:
            self._arriving = self.loop.call_later(getattr(self._operator, part), self._refuse_slowness, part)

    # What leaves

    def on_response_complete(self) -> None:
        """An answer has been written."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._end_unread()
        elif self.cycle.response_complete:
            self._door.rest(self)

    def pause_writing(self) -> None:
        """The caller does not read what it has asked for."""
        super().pause_writing()
        self._end_unread()

    def resume_writing(self) -> None:
        """It reads again."""
        super().resume_writing()
        if not self.transport.is_closing():
            _stop(self._leaving)
            self._leaving = None

    def timeout_keep_alive_handler(self) -> None:
        """It has rested long enough."""
        super().timeout_keep_alive_handler()
        self._end_unread()

    def _end_unread(self) -> None:
        if self._leaving is None:
            self._leaving = self.loop.call_later(self._operator.max_unread_s, self.transport.abort)

    # Refusals

    def _refuse_head(self) -> None:
        most = self._operator.max_head_bytes
        self._refuse(431, "too_large", f"a request's head has at most {most} bytes ({setting_of('max_head_bytes')})")

    def _refuse_slowness(self, setting: str) -> None:
        self._refuse(408, "too_slow", f"the request took too long to arrive ({setting_of(setting)})")

    def _refuse(self, status: int, code: str, detail: str) -> None:
        self._is_refused = True
        self._unset_keepalive_if_required()
        _stop(self._arriving)
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()  # in the middle of another answer
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.flow.resume_reading()
        self.transport.write(_refusal(status, code, detail))
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.abort)


def _refusal(status: int, code: str, detail: str) -> bytes:
    answer = problem(status, code, detail, {"Connection": "close"} | ({"Retry-After": "5"} if status == 503 else {}))
    fields = b"".join(b"%s: %s\r\n" % field for field in answer.raw_headers)
    return STATUS_LINE[status] + fields + b"\r\n" + bytes(answer.body)


def _stop(timer: _Timer) -> None:
    if timer is not None:
        timer.cancel()
