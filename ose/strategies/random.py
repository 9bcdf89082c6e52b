"""Candidates drawn at random: what every cleverer strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from random import Random

from ose.core.search_space import Member
from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.base import OneWave, proposals_of


class RandomStrategy(OneWave):
    """So many of all candidates, each at most once, all at once. Their numbers follow the order of sizes.

    Args:
        members: All of them, in order.
        search: How many, how each may be trained, and the seed that decides which.
        num_members: How many there are.
    """

    def __init__(self, members: Iterable[Member], search: SearchSpec, num_members: int) -> None:
        num_total = num_members * len(search.hyperparameters)
        drawn = set(Random(search.seed).sample(range(num_total), min(search.num_candidates or 0, num_total)))
        super().__init__(proposals_of(_drawn(members, search.hyperparameters, sorted(drawn)), search.steps))


def _drawn(
    members: Iterable[Member], theta: Sequence[Hyperparameters], places: Sequence[int]
) -> Iterator[tuple[Member, Hyperparameters]]:
    """Of all members with each element of Theta in turn, those at some places, which ascend."""
    asked = iter(places)
    place = next(asked, None)
    for index, member in enumerate(members):
        while place is not None and place // len(theta) == index:
            yield member, theta[place % len(theta)]
            place = next(asked, None)
        if place is None:
            return
