"""Where requests wait for workers and events wait for the coordinator. It knows nothing of Ray.

A worker process may die at any moment, and the call that asked for a request on its behalf lives on. So each
generation of a worker has a number, and what comes from an earlier one is void: every request ends in exactly one
event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from ose.core.job import FailureReport
from ose.core.messages import Event, Request, RequestFailed
from ose.errors import WorkerLostError


@dataclass(frozen=True, slots=True)
class WorkerGeneration:
    """One generation of a worker: from the start of its process to its end."""

    worker: int
    number: int


class RequestQueue:
    """The queue between one coordinator and its workers. Runs in one event loop."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque()
        self._changed = asyncio.Condition()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._generations: dict[int, WorkerGeneration] = {}
        self._held: dict[WorkerGeneration, Request] = {}
        self._num_waiting = 0
        self._is_closed = False

    async def submit(self, request: Request) -> None:
        """Queue a request."""
        async with self._changed:
            self._requests.append(request)
            self._changed.notify()

    async def announce(self, worker: int) -> WorkerGeneration:
        """A worker starts: for the first time, or again after its process died."""
        ended = self._generations.get(worker)
        generation = self._generations[worker] = WorkerGeneration(worker, ended.number + 1 if ended else 1)
        if ended is not None:
            await self._give_up(ended)
        return generation

    async def mark_dead(self, worker: int) -> None:
        """A worker has died, and may not come back: no machine need have room for it. Others do what it held."""
        ended = self._generations.get(worker)
        if ended is not None:
            self._generations[worker] = WorkerGeneration(worker, ended.number + 1)
            await self._give_up(ended)

    async def take(self, generation: WorkerGeneration) -> Request | None:
        """The next request for a worker, as soon as there is one; None if it shall end."""
        async with self._changed:
            self._num_waiting += 1
            self._changed.notify_all()
            try:
                await self._changed.wait_for(lambda: self._requests or self._is_over(generation))
            finally:
                self._num_waiting -= 1
            if self._is_over(generation):
                self._changed.notify()  # the request that woke us is another worker's
                return None
            self._held[generation] = self._requests.popleft()
            return self._held[generation]

    async def report(self, generation: WorkerGeneration, event: Event) -> None:
        """A worker has ended the request it held. Void if it was given up for lost meanwhile."""
        if self._held.pop(generation, None) is not None:
            await self._events.put(event)

    async def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None if none comes in time."""
        try:
            return await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            return None

    async def all_wait(self, num_workers: int, timeout_s: float) -> bool:
        """Whether so many workers wait for a request before the time is over: none works, none is starting."""
        try:
            async with self._changed, asyncio.timeout(timeout_s):
                await self._changed.wait_for(lambda: self._num_waiting >= num_workers)
        except TimeoutError:
            return False
        return True

    async def close(self) -> bool:
        """Let idle workers end. False if a worker still runs a request."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        return not self._held

    async def _give_up(self, ended: WorkerGeneration) -> None:
        request = self._held.pop(ended, None)
        if request is not None:
            await self._events.put(_lost(ended.worker, request))
        async with self._changed:
            self._changed.notify_all()  # what the ended generation still waits for is to return

    def _is_over(self, generation: WorkerGeneration) -> bool:
        return self._is_closed or self._generations[generation.worker] != generation


def _lost(worker: int, request: Request) -> RequestFailed:
    error = WorkerLostError(f"worker {worker} died while it ran the request")
    failure = FailureReport(code=error.code, message=str(error), is_retryable=error.is_retryable)
    return RequestFailed(request_id=request.id, worker=f"ray-{worker}", failure=failure)
