"""Candidates drawn at random: what every cleverer strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from ose.core.search_space import Member
from ose.core.spec import SearchSpec
from ose.search.strategy import Outcome, Proposal


class RandomStrategy:
    """So many of all candidates, each at most once, all at once. Their numbers follow the order of sizes.

    Args:
        members: All of them, in order.
        search: How many, how each may be trained, and the seed that decides which.
        num_members: How many there are.
    """

    def __init__(self, members: Iterable[Member], search: SearchSpec, num_members: int) -> None:
        num_total = num_members * len(search.hyperparameters)
        drawn = set(Random(search.seed).sample(range(num_total), min(search.num_candidates or 0, num_total)))
        pairs = ((member, hyperparameters) for member in members for hyperparameters in search.hyperparameters)
        chosen = (pair for index, pair in enumerate(pairs) if index in drawn)
        self._proposals = [
            Proposal(
                number=number,
                architecture=member.architecture,
                hyperparameters=hyperparameters,
                num_steps=search.steps,
                layers=member.layers,
            )
            for number, (member, hyperparameters) in enumerate(chosen, start=1)
        ]

    def ask(self) -> Sequence[Proposal]:
        """Everything at once, the first time."""
        proposals, self._proposals = self._proposals, []
        return proposals

    def tell(self, number: int, outcome: Outcome) -> None:
        """Nothing depends on outcomes."""
