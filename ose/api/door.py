"""Who is connected: so many in all and from one address, and who rests makes room for who comes."""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol


class Guest(Protocol):
    """A connection."""

    def show_out(self) -> None:
        """End it at once."""


class Door:
    """Lets connections in.

    One that waits for a request rests, whether it has never sent one, is sending its head, or has been answered. Where
    there is no room, the one that has rested longest goes: many that are half open take no place from others.

    Args:
        most: Connections at once.
        most_of_address: Of these from one address.
    """

    def __init__(self, most: int, most_of_address: int) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._address: dict[Guest, str] = {}
        self._count: defaultdict[str, int] = defaultdict(int)
        self._resting: dict[Guest, None] = {}
        self._resting_of: defaultdict[str, dict[Guest, None]] = defaultdict(dict)

    def enter(self, guest: Guest, address: str) -> bool:
        """Let a connection in, which rests at first. False if it finds no room, because all others are at work."""
        if self._count[address] >= self._most_of_address:
            resting = self._resting_of[address]
        elif len(self._address) >= self._most:
            resting = self._resting
        else:
            resting = None
        if resting is not None:
            longest = next(iter(resting), None)
            if longest is None:
                return False
            self.leave(longest)
            longest.show_out()
        self._address[guest] = address
        self._count[address] += 1
        self.rest(guest)
        return True

    def rest(self, guest: Guest) -> None:
        """It waits for a request from now on."""
        if guest in self._address and guest not in self._resting:
            self._resting[guest] = self._resting_of[self._address[guest]][guest] = None

    def work(self, guest: Guest) -> None:
        """A request of it is being answered from now on."""
        if guest in self._resting:
            del self._resting[guest]
            self._resting_of[self._address[guest]].pop(guest)

    def leave(self, guest: Guest) -> None:
        """It has gone; said twice, it is as said once."""
        self.work(guest)
        address = self._address.pop(guest, None)
        if address is None:
            return
        self._count[address] -= 1
        if not self._count[address]:
            del self._count[address]
            self._resting_of.pop(address, None)
