"""Slots for so many requests of a kind at once, of which one caller never holds all."""

from __future__ import annotations

import asyncio
from collections import Counter

from ose.errors import BusyError


class Slots:
    """So many at a time; a request that finds none waits a while for one.

    A place that becomes free goes to the caller that holds the fewest, so what one caller sends in masses waits for
    itself and not in front of the others. Callers are told apart by their tokens; those without one, None, cannot be,
    and may hold all together.

    Args:
        what: What they are for, as a refusal calls it.
        setting: The variable that changes their number.
        count: How many there are.
        most_of_one: How many of them one caller may hold; None gives it all.
        wait_s: How long a request waits.
    """

    def __init__(self, what: str, setting: str, count: int, most_of_one: int | None = None, wait_s: float = 0) -> None:
        self._refusal = f"the server has {count} places for {what} ({setting}), and none for you now; try again later"
        self._count = count
        self._most_of_one = count if most_of_one is None else min(most_of_one, count)
        self._wait_s = wait_s
        self._held: Counter[str | None] = Counter()
        self._waiting: list[tuple[str | None, asyncio.Future[None]]] = []

    def held_by(self, caller: str | None) -> HeldSlot:
        """A place, for as long as a block of `async with` lasts.

        Raises:
            BusyError: None became free in time.
        """
        return HeldSlot(self, caller)

    async def take(self, caller: str | None) -> None:
        """Get a place, which has to be given back. See `held_by`."""
        if self._has_room_for(caller):
            self._held[caller] += 1
        elif self._wait_s:
            await self._wait(caller)
        else:
            raise BusyError(self._refusal)

    async def _wait(self, caller: str | None) -> None:
        turn = asyncio.get_running_loop().create_future()
        waiter = caller, turn
        self._waiting.append(waiter)
        try:
            await asyncio.wait_for(asyncio.shield(turn), self._wait_s)
        except BaseException as error:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self.give_back(caller)  # its turn came at the very moment at which it gave up
            if isinstance(error, TimeoutError):
                raise BusyError(self._refusal) from None
            raise

    def give_back(self, caller: str | None) -> None:
        """Let the next one have it."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]
        candidates = [waiter for waiter in self._waiting if self._has_room_for(waiter[0])]
        if candidates:
            first = min(candidates, key=lambda waiter: self._held[waiter[0]])
            self._waiting.remove(first)
            self._held[first[0]] += 1
            _wake(first[1])

    def _has_room_for(self, caller: str | None) -> bool:
        most = self._count if caller is None else self._most_of_one
        return self._held.total() < self._count and self._held[caller] < most


class HeldSlot:
    """One of them, held by a block. A class, because every request passes here, and a generator takes longer."""

    __slots__ = ("_caller", "_places")

    def __init__(self, places: Slots, caller: str | None) -> None:
        self._places = places
        self._caller = caller

    async def __aenter__(self) -> None:
        await self._places.take(self._caller)

    async def __aexit__(self, *_: object) -> None:
        self._places.give_back(self._caller)


def _wake(turn: asyncio.Future[None]) -> None:
    """From whichever loop: where each request has one of its own, the place may come from another."""
    turn.get_loop().call_soon_threadsafe(_give, turn)


def _give(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
