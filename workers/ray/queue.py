"""Where tasks wait for workers and events wait for the coordinator. It knows nothing of Ray.

A worker process may die at any moment, and the call that asked for a task on its behalf lives on. So each
life of a worker has a number, and whatever comes from an earlier life is void: every task ends in exactly
one event.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from ose.core.job import FailureReport
from ose.core.messages import Event, Task, TaskFailed
from ose.errors import WorkerLostError


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a worker: from the start of its process to its end."""

    worker: int
    number: int


class Board:
    """The queue between one coordinator and its workers. Runs in one event loop."""

    def __init__(self) -> None:
        self._tasks: deque[Task] = deque()
        self._changed = asyncio.Condition()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._lives: dict[int, Life] = {}
        self._held: dict[Life, Task] = {}
        self._num_waiting = 0
        self._is_closed = False

    async def submit(self, task: Task) -> None:
        """Queue a task."""
        async with self._changed:
            self._tasks.append(task)
            self._changed.notify()

    async def announce(self, worker: int) -> Life:
        """A worker starts: for the first time, or again after its process died."""
        ended = self._lives.get(worker)
        life = self._lives[worker] = Life(worker, ended.number + 1 if ended else 1)
        if ended is not None:
            await self._give_up(ended)
        return life

    async def bury(self, worker: int) -> None:
        """A worker has died, and may not come back: no machine need have room for it. Others do what it held."""
        ended = self._lives.get(worker)
        if ended is not None:
            self._lives[worker] = Life(worker, ended.number + 1)
            await self._give_up(ended)

    async def take(self, life: Life) -> Task | None:
        """The next task for a worker, as soon as there is one; None if it shall end."""
        async with self._changed:
            self._num_waiting += 1
            self._changed.notify_all()
            try:
                await self._changed.wait_for(lambda: self._tasks or self._is_over(life))
            finally:
                self._num_waiting -= 1
            if self._is_over(life):
                self._changed.notify()  # the task that woke us is another worker's
                return None
            self._held[life] = self._tasks.popleft()
            return self._held[life]

    async def report(self, life: Life, event: Event) -> None:
        """A worker has ended the task it held. Void if it was given up for lost meanwhile."""
        if self._held.pop(life, None) is not None:
            await self._events.put(event)

    async def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None if none comes in time."""
        try:
            return await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            return None

    async def all_wait(self, num_workers: int, timeout_s: float) -> bool:
        """Whether so many workers wait for a task before the time is over: none works, none is starting."""
        try:
            async with self._changed, asyncio.timeout(timeout_s):
                await self._changed.wait_for(lambda: self._num_waiting >= num_workers)
        except TimeoutError:
            return False
        return True

    async def close(self) -> bool:
        """Let idle workers end. False if a worker still runs a task."""
        async with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        return not self._held

    async def _give_up(self, ended: Life) -> None:
        task = self._held.pop(ended, None)
        if task is not None:
            await self._events.put(_lost(ended.worker, task))
        async with self._changed:
            self._changed.notify_all()  # what the ended life still waits for is to return

    def _is_over(self, life: Life) -> bool:
        return self._is_closed or self._lives[life.worker] != life


def _lost(worker: int, task: Task) -> TaskFailed:
    error = WorkerLostError(f"worker {worker} died while it ran the task")
    failure = FailureReport(code=error.code, message=str(error), is_retryable=error.is_retryable)
    return TaskFailed(task_id=task.id, worker=f"ray-{worker}", failure=failure)
