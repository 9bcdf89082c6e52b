"""Candidates drawn at random: what every cleverer strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from random import Random

from ose.core.search_space import Member
from ose.core.spec import SearchSpec
from ose.search.strategy import OneWave, proposals_of


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
        trainings = enumerate(product(members, search.hyperparameters))
        super().__init__(proposals_of((each for index, each in trainings if index in drawn), search.steps))
