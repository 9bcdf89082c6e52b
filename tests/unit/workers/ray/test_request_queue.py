import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import builders
import pytest

from ose.core.messages import Event, Request, RequestFailed, RequestSucceeded, TargetsRequest
from ose.workers.ray.request_queue import RequestQueue, WorkerGeneration

SOON_S = 0.02


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 5))  # type: ignore[arg-type]

    return run


def task(request_id: str) -> Request:
    return TargetsRequest(
        id=request_id,
        folder="/",
        teacher=builders.teacher_facts(),
        shard=0,
        first=0,
        last=1,
        seed=0,
        precision="float32",
    )


def done(request_id: str) -> Event:
    return RequestSucceeded(request_id=request_id, worker="ray-0", result=None)


async def events(queue: RequestQueue) -> list[tuple[str, bool]]:
    found = []
    while (event := await queue.next_event(SOON_S)) is not None:
        found.append((event.request_id, isinstance(event, RequestFailed)))
    return found


@in_a_loop
async def test_tasks_are_taken_in_order_and_their_events_passed_on() -> None:
    queue = RequestQueue()
    generation = await queue.announce(0)
    for name in ("a", "b"):
        await queue.submit(task(name))
    for name in ("a", "b"):
        taken = await queue.take(generation)
        assert taken is not None and taken.id == name
        await queue.report(generation, done(name))
    assert await events(queue) == [("a", False), ("b", False)]


@in_a_loop
async def test_what_a_dead_worker_held_is_told_before_anybody_takes_its_place() -> None:
    queue = RequestQueue()
    dead = await queue.announce(0)
    await queue.submit(task("a"))
    await queue.take(dead)
    await queue.mark_dead(0)
    assert await events(queue) == [("a", True)]
    await queue.report(dead, done("a"))
    await queue.mark_dead(1)  # nobody has seen it alive
    assert await events(queue) == []
    assert (await queue.announce(0)) == WorkerGeneration(0, 3)


@in_a_loop
async def test_a_worker_that_waits_gets_the_next_task() -> None:
    queue = RequestQueue()
    waiting = asyncio.create_task(queue.take(await queue.announce(0)))
    await asyncio.sleep(SOON_S)
    assert not waiting.done()
    await queue.submit(task("a"))
    assert (await waiting) == task("a")


@in_a_loop
async def test_a_task_whose_worker_died_is_lost_and_may_be_tried_again() -> None:
    queue = RequestQueue()
    await queue.submit(task("a"))
    await queue.take(await queue.announce(1))
    await queue.announce(1)
    event = await queue.next_event(SOON_S)
    assert isinstance(event, RequestFailed)
    assert (event.request_id, event.failure.code, event.failure.is_retryable) == ("a", "worker_lost", True)
    assert await events(queue) == []


@in_a_loop
async def test_a_call_that_outlived_its_worker_takes_no_task_along() -> None:
    queue = RequestQueue()
    orphan = asyncio.create_task(queue.take(await queue.announce(0)))
    await asyncio.sleep(SOON_S)
    second = await queue.announce(0)
    assert await orphan is None
    await queue.submit(task("a"))
    assert await queue.take(second) == task("a")


@in_a_loop
async def test_a_call_that_wakes_up_too_late_leaves_the_task_to_a_living_worker() -> None:
    queue = RequestQueue()
    orphan = asyncio.create_task(queue.take(await queue.announce(0)))
    other = asyncio.create_task(queue.take(await queue.announce(1)))
    await asyncio.sleep(SOON_S)
    submitted = asyncio.create_task(queue.submit(task("a")))
    await queue.announce(0)  # while the submitted task is on its way to the orphan
    await submitted
    assert await orphan is None
    assert await other == task("a")


@in_a_loop
async def test_a_report_of_a_task_given_up_for_lost_is_void() -> None:
    queue = RequestQueue()
    await queue.submit(task("a"))
    first = await queue.announce(0)
    await queue.take(first)
    await queue.announce(0)
    await queue.report(first, done("a"))
    assert await events(queue) == [("a", True)]


@in_a_loop
async def test_a_worker_that_died_after_its_report_has_lost_nothing() -> None:
    queue = RequestQueue()
    await queue.submit(task("a"))
    first = await queue.announce(0)
    await queue.take(first)
    await queue.report(first, done("a"))
    assert await queue.announce(0) == WorkerGeneration(0, 2)
    assert await events(queue) == [("a", False)]


@in_a_loop
async def test_no_event_comes_of_nothing() -> None:
    assert await RequestQueue().next_event(SOON_S) is None


@in_a_loop
async def test_all_wait_only_when_each_worker_has_asked_for_a_task_and_none_has_one() -> None:
    queue = RequestQueue()
    first, second = await queue.announce(0), await queue.announce(1)
    takes = [asyncio.create_task(queue.take(first))]
    assert not await queue.all_wait(2, SOON_S)
    seen = asyncio.create_task(queue.all_wait(2, 1.0))
    takes.append(asyncio.create_task(queue.take(second)))
    assert await seen
    await queue.submit(task("a"))
    await asyncio.wait(takes, return_when=asyncio.FIRST_COMPLETED)
    assert not await queue.all_wait(2, SOON_S)
    await queue.close()
    await asyncio.gather(*takes)


@pytest.mark.parametrize("is_busy", [False, True])
def test_closing_sends_waiting_workers_home_and_tells_of_busy_ones(is_busy: bool) -> None:
    @in_a_loop
    async def scenario() -> None:
        queue = RequestQueue()
        idle, busy = await queue.announce(0), await queue.announce(1)
        if is_busy:
            await queue.submit(task("a"))
            await queue.take(busy)
        waiting = asyncio.create_task(queue.take(idle))
        await asyncio.sleep(SOON_S)
        assert await queue.close() is not is_busy
        assert await waiting is None
        assert await queue.take(busy) is None

    scenario()
