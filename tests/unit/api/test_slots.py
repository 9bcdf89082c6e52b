"""Slots: no caller holds all, who waits is served in turn, and nobody who gave up holds one.

Tests ose/api/request_slots.py too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from ose.api.slots import Slots
from ose.errors import BusyError


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())


def places(count: int, most_of_one: int | None = None, wait_s: float = 0) -> Slots:
    return Slots("tests", "OSE_MAX_TESTS", count, most_of_one, wait_s)


async def is_free(there: Slots, caller: str | None) -> bool:
    try:
        async with there.held_by(caller):
            return True
    except BusyError:
        return False


def test_a_caller_never_holds_all() -> None:
    async def scenario() -> None:
        there = places(3, most_of_one=2)
        async with there.held_by("a"), there.held_by("a"):
            assert not await is_free(there, "a") and await is_free(there, "b")
            async with there.held_by("b"):
                assert not await is_free(there, "c")
        assert await is_free(there, "a")

    run(scenario)


def test_callers_without_a_token_cannot_be_told_apart_and_may_hold_all() -> None:
    async def scenario() -> None:
        there = places(2, most_of_one=1)
        async with there.held_by(None), there.held_by(None):
            assert not await is_free(there, None) and not await is_free(there, "a")
        async with there.held_by("a"):
            assert not await is_free(there, "a") and await is_free(there, None)

    run(scenario)


def test_the_refusal_names_the_setting() -> None:
    async def scenario() -> None:
        there = places(1, wait_s=0.01)
        async with there.held_by("a"):
            with pytest.raises(BusyError, match="OSE_MAX_TESTS"):
                async with there.held_by("b"):
                    pass

    run(scenario)


def test_who_holds_fewest_is_next_and_then_who_came_first() -> None:
    async def scenario() -> None:
        there, order = places(2, wait_s=10), []

        async def take(caller: str) -> None:
            async with there.held_by(caller):
                order.append(caller)
                await asyncio.sleep(0.01)

        async with AsyncExitStack() as held:
            await held.enter_async_context(there.held_by("many"))
            async with there.held_by("other"):
                waiting = [asyncio.create_task(take(caller)) for caller in ("many", "many", "first", "second")]
                await asyncio.sleep(0.01)
            await asyncio.gather(*waiting)
        assert order == ["first", "second", "many", "many"]

    run(scenario)


def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    async def scenario() -> None:
        there = places(1, wait_s=10)
        async with there.held_by("a"):
            waiting = asyncio.create_task(is_free(there, "b"))
            await asyncio.sleep(0.01)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        assert await is_free(there, "c")

    run(scenario)


def test_a_turn_that_comes_as_one_gives_up_is_passed_on() -> None:
    async def scenario() -> None:
        there = places(1, wait_s=10)
        async with there.held_by("a"):
            waiting = asyncio.create_task(is_free(there, "b"))
            await asyncio.sleep(0.01)
        waiting.cancel()  # its place was given to it in this very step
        await asyncio.wait([waiting])
        assert await is_free(there, "c")

    run(scenario)
