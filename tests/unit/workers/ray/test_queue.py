import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps

import builders
import pytest

from ose.core.messages import Event, TargetsTask, Task, TaskFailed, TaskSucceeded
from ose.workers.ray.queue import Board, Life

SOON_S = 0.02


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 5))  # type: ignore[arg-type]

    return run


def task(task_id: str) -> Task:
    return TargetsTask(
        id=task_id, folder="/", teacher=builders.teacher_facts(), shard=0, first=0, last=1, seed=0, precision="float32"
    )


def done(task_id: str) -> Event:
    return TaskSucceeded(task_id=task_id, worker="ray-0", result=None)


async def events(board: Board) -> list[tuple[str, bool]]:
    found = []
    while (event := await board.next_event(SOON_S)) is not None:
        found.append((event.task_id, isinstance(event, TaskFailed)))
    return found


@in_a_loop
async def test_tasks_are_taken_in_order_and_their_events_passed_on() -> None:
    board = Board()
    life = await board.announce(0)
    for name in ("a", "b"):
        await board.submit(task(name))
    for name in ("a", "b"):
        taken = await board.take(life)
        assert taken is not None and taken.id == name
        await board.report(life, done(name))
    assert await events(board) == [("a", False), ("b", False)]


@in_a_loop
async def test_what_a_dead_worker_held_is_told_before_anybody_takes_its_place() -> None:
    board = Board()
    dead = await board.announce(0)
    await board.submit(task("a"))
    await board.take(dead)
    await board.bury(0)
    assert await events(board) == [("a", True)]
    await board.report(dead, done("a"))
    await board.bury(1)  # nobody has seen it alive
    assert await events(board) == []
    assert (await board.announce(0)) == Life(0, 3)


@in_a_loop
async def test_a_worker_that_waits_gets_the_next_task() -> None:
    board = Board()
    waiting = asyncio.create_task(board.take(await board.announce(0)))
    await asyncio.sleep(SOON_S)
    assert not waiting.done()
    await board.submit(task("a"))
    assert (await waiting) == task("a")


@in_a_loop
async def test_a_task_whose_worker_died_is_lost_and_may_be_tried_again() -> None:
    board = Board()
    await board.submit(task("a"))
    await board.take(await board.announce(1))
    await board.announce(1)
    event = await board.next_event(SOON_S)
    assert isinstance(event, TaskFailed)
    assert (event.task_id, event.failure.code, event.failure.is_retryable) == ("a", "worker_lost", True)
    assert await events(board) == []


@in_a_loop
async def test_a_call_that_outlived_its_worker_takes_no_task_along() -> None:
    board = Board()
    orphan = asyncio.create_task(board.take(await board.announce(0)))
    await asyncio.sleep(SOON_S)
    second = await board.announce(0)
    assert await orphan is None
    await board.submit(task("a"))
    assert await board.take(second) == task("a")


@in_a_loop
async def test_a_call_that_wakes_up_too_late_leaves_the_task_to_a_living_worker() -> None:
    board = Board()
    orphan = asyncio.create_task(board.take(await board.announce(0)))
    other = asyncio.create_task(board.take(await board.announce(1)))
    await asyncio.sleep(SOON_S)
    submitted = asyncio.create_task(board.submit(task("a")))
    await board.announce(0)  # while the submitted task is on its way to the orphan
    await submitted
    assert await orphan is None
    assert await other == task("a")


@in_a_loop
async def test_a_report_of_a_task_given_up_for_lost_is_void() -> None:
    board = Board()
    await board.submit(task("a"))
    first = await board.announce(0)
    await board.take(first)
    await board.announce(0)
    await board.report(first, done("a"))
    assert await events(board) == [("a", True)]


@in_a_loop
async def test_a_worker_that_died_after_its_report_has_lost_nothing() -> None:
    board = Board()
    await board.submit(task("a"))
    first = await board.announce(0)
    await board.take(first)
    await board.report(first, done("a"))
    assert await board.announce(0) == Life(0, 2)
    assert await events(board) == [("a", False)]


@in_a_loop
async def test_no_event_comes_of_nothing() -> None:
    assert await Board().next_event(SOON_S) is None


@in_a_loop
async def test_all_wait_only_when_each_worker_has_asked_for_a_task_and_none_has_one() -> None:
    board = Board()
    first, second = await board.announce(0), await board.announce(1)
    takes = [asyncio.create_task(board.take(first))]
    assert not await board.all_wait(2, SOON_S)
    seen = asyncio.create_task(board.all_wait(2, 1.0))
    takes.append(asyncio.create_task(board.take(second)))
    assert await seen
    await board.submit(task("a"))
    await asyncio.wait(takes, return_when=asyncio.FIRST_COMPLETED)
    assert not await board.all_wait(2, SOON_S)
    await board.close()
    await asyncio.gather(*takes)


@pytest.mark.parametrize("is_busy", [False, True])
def test_closing_sends_waiting_workers_home_and_tells_of_busy_ones(is_busy: bool) -> None:
    @in_a_loop
    async def scenario() -> None:
        board = Board()
        idle, busy = await board.announce(0), await board.announce(1)
        if is_busy:
            await board.submit(task("a"))
            await board.take(busy)
        waiting = asyncio.create_task(board.take(idle))
        await asyncio.sleep(SOON_S)
        assert await board.close() is not is_busy
        assert await waiting is None
        assert await board.take(busy) is None

    scenario()
