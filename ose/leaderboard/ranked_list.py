"""A long list in order, in which one is found, taken out or put in without looking at the others."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable


class RankedList:
    """Numbers by an ascending key, equal keys by number; twelve bytes of each.

    Args:
        keyed: Keys with their numbers, the latter ascending.
    """

    def __init__(self, keyed: Iterable[tuple[float, int]]) -> None:
        ordered = sorted(keyed)
        self._keys = array("d", (key for key, _ in ordered))
        self._numbers = array("i", (number for _, number in ordered))

    def __len__(self) -> int:
        return len(self._numbers)

    def num_before(self, key: float, number: int) -> int:
        """How many stand before a place."""
        first = bisect_left(self._keys, key)
        return bisect_left(self._numbers, number, first, bisect_right(self._keys, key, first))

    def some(self, first: int, count: int) -> list[tuple[float, int]]:
        """Keys and numbers of those from the `first` on, which is 0 for the list's first."""
        end = first + count
        return list(zip(self._keys[first:end], self._numbers[first:end], strict=True))

    def add(self, key: float, number: int) -> None:
        """Put one in."""
        place = self.num_before(key, number)
        self._keys.insert(place, key)
        self._numbers.insert(place, number)

    def remove(self, key: float, number: int) -> None:
        """Take one out that is there."""
        place = self.num_before(key, number)
        del self._keys[place], self._numbers[place]
