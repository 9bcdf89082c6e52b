"""The paper's search: the space from end to end, with a stride."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from ose.core.search_space import Member
from ose.core.spec import Hyperparameters
from ose.strategies.base import OneWave, proposals_of


class OseStrategy(OneWave):
    """The paper's search: every epsilon-th member of the order, with every element of Theta.

    The stride starts at the smallest member. The paper runs Theta outermost; since nothing is told to
    later proposals the result is the same, and this way a job's numbers follow its order of sizes.

    Source:
        arXiv 2010.08512, Algorithm 1.

    Args:
        members: Every epsilon-th of the order.
        theta: How each is trained.
        num_steps: The paper's s.
    """

    def __init__(self, members: Iterable[Member], theta: Sequence[Hyperparameters], num_steps: int) -> None:
        super().__init__(proposals_of(product(members, theta), num_steps))
