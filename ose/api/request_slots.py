"""The places of a server, by kind of request, and the dependencies by which a request takes one."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import Depends, Request

from ose.api.auth import CurrentCaller
from ose.api.slots import Slots
from ose.core.access import Caller
from ose.limits import OperatorLimits, setting_of

T = TypeVar("T")

_NUM_TOKEN_CHECKS, _NUM_HEALTH_CHECKS = 8, 2
"""Threads of their own: each looks at a row or two."""


@dataclass(frozen=True, slots=True)
class RequestSlots:
    """How many requests of each kind are worked on at once.

    Attributes:
        checks: What asks a checker.
        bodies: What has a body, which stays in memory.
        readings: What reads in a thread.
        changes: What writes in a thread, and may have to wait for the database's one writer.
        streams: Streams of events.
        token_checks: Threads that look at tokens, and whether they are asked for.
        health_checks: Threads that look whether the database answers.
    """

    checks: Slots
    bodies: Slots
    readings: Slots
    changes: Slots
    streams: Slots
    token_checks: CapacityLimiter
    health_checks: CapacityLimiter

    async def read(self, caller: Caller, work: Callable[[], T]) -> T:
        """Have a thread read something."""
        async with self.readings.held_by(caller.owner):
            return await to_thread.run_sync(work)

    async def change(self, caller: Caller, work: Callable[[], T]) -> T:
        """Have a thread change something."""
        async with self.changes.held_by(caller.owner):
            return await to_thread.run_sync(work)


def limits_of(operator: OperatorLimits) -> RequestSlots:
    """The places that the operator allows. Half of each kind is the most for one token."""

    def places(what: str, setting: str) -> Slots:
        count = getattr(operator, setting)
        return Slots(what, setting_of(setting), count, -(-count // 2), operator.max_wait_s)

    return RequestSlots(
        checks=places("submissions", "max_submissions"),
        bodies=places("requests with a body", "max_bodies"),
        readings=places("questions", "max_readings"),
        changes=places("changes", "max_changes"),
        streams=Slots(
            "streams of events", setting_of("max_streams"), operator.max_streams, operator.max_streams_of_caller
        ),
        token_checks=CapacityLimiter(_NUM_TOKEN_CHECKS),
        health_checks=CapacityLimiter(_NUM_HEALTH_CHECKS),
    )


async def current_limits(request: Request) -> RequestSlots:
    """Those of the app that answers."""
    limits: RequestSlots = request.app.state.limits
    return limits


CurrentLimits = Annotated[RequestSlots, Depends(current_limits)]


async def _body(caller: CurrentCaller, limits: CurrentLimits) -> AsyncIterator[None]:
    async with limits.bodies.held_by(caller.owner):
        yield


async def _thread(request: Request, caller: CurrentCaller, limits: CurrentLimits) -> AsyncIterator[None]:
    if inspect.iscoroutinefunction(request.scope["endpoint"]):  # holds none
        yield
        return
    places = limits.readings if request.method in ("GET", "HEAD") else limits.changes
    async with places.held_by(caller.owner):
        yield


async def _stream(caller: CurrentCaller, limits: CurrentLimits) -> AsyncIterator[None]:
    async with limits.streams.held_by(caller.owner):
        yield


BodyPlace = Depends(_body)
ThreadPlace = Depends(_thread, scope="function")
StreamPlace = Depends(_stream)
"""The places of bodies and streams are held until the answer has been sent, those of threads until it is known."""
