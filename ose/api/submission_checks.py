"""Have submissions checked by processes that can be ended: past a deadline, or when the caller has left."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from fastapi import Request
from starlette.requests import ClientDisconnect

from ose.api.slots import Slots
from ose.core.access import Caller
from ose.errors import InvalidInputError, ServiceError, TooSlowError, error_of
from ose.jobs.checker_process import BROKEN, DONE, LENGTH
from ose.jobs.checker_tasks import Question
from ose.jobs.checkers import Checker, Checkers
from ose.limits import setting_of

_LOG = logging.getLogger(__name__)

_MOST_ANSWERS = 100
"""Of one checker, which then makes room for a new one: what libraries have piled up goes with it."""

_CHUNK = 2**16

T = TypeVar("T")


class Checks:
    """Asks checkers, of which there are never more than places.

    Args:
        checkers: Makes them.
        places: For questions that are worked on.
        deadline_s: After so long a checker that has not answered is ended.
    """

    def __init__(self, checkers: Checkers, places: Slots, deadline_s: float) -> None:
        self._checkers = checkers
        self._places = places
        self._deadline_s = deadline_s
        self._idle: list[Checker] = []

    async def ask(self, request: Request, caller: Caller, question: Question) -> bytes:
        """The result of a question, as JSON.

        Args:
            request: Whose answer it is for; its body has been read.
            caller: Who asks.
            question: What is asked.

        Raises:
            OseError: What the checker says of it.
            TooSlowError: It has taken longer than it may.
            BusyError: There is no place for it.
            ClientDisconnect: The caller has left.
        """

        async def asked() -> bytes:
            async with self._places.held_by(caller.owner):
                return await self._answered(question.to_bytes())

        return _result(await _unless_left(request, asked))

    async def _answered(self, question: bytes) -> bytes:
        checker = self._checker()
        try:
            with anyio.fail_after(self._deadline_s):
                answer = await _exchange(checker, question)
        except TimeoutError:
            checker.end()
            raise TooSlowError(
                f"checking this took longer than {self._deadline_s:g} s ({setting_of('max_submission_s')}): "
                "there is too much to read, or the hub does not answer"
            ) from None
        except (OSError, EOFError) as error:
            checker.end()
            raise InvalidInputError(
                "checking this has ended the process that did it, which may have run out of memory"
            ) from error
        except BaseException:
            checker.end()
            raise
        self._keep(checker)
        return answer

    def _checker(self) -> Checker:
        while self._idle:
            checker = self._idle.pop()
            if checker.lives():
                return checker
            checker.end()
        return self._checkers.new()

    def _keep(self, checker: Checker) -> None:
        checker.num_answers += 1
        if checker.num_answers < _MOST_ANSWERS:
            self._idle.append(checker)
        else:
            checker.end()


def _result(answer: bytes) -> bytes:
    kind, content = answer[:1], answer[1:]
    if kind == DONE:
        return content
    if kind == BROKEN:
        raise RuntimeError("a checker has failed; its traceback is on standard error")
    code, _, message = content.decode().partition(" ")
    raise error_of(code, message, ServiceError)


async def _exchange(checker: Checker, question: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(checker.channel, LENGTH.pack(len(question)) + question)
    size = LENGTH.unpack(await _received(checker, LENGTH.size))[0]
    return await _received(checker, size)


async def _received(checker: Checker, count: int) -> bytes:
    message = bytearray()
    while len(message) < count:
        some = await asyncio.get_running_loop().sock_recv(checker.channel, min(_CHUNK, count - len(message)))
        if not some:
            raise EOFError
        message += some
    return bytes(message)


async def _unless_left(request: Request, work: Callable[[], Awaitable[T]]) -> T:
    """The result of some work, which is given up when the caller leaves."""
    done: list[T] = []

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        both.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as both:
            both.start_soon(watch)
            done.append(await work())
            both.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
    if not done:
        raise ClientDisconnect
    return done[0]
