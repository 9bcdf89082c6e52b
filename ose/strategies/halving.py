"""Successive halving: all candidates a few steps, and more steps for the upper part, as long as it holds several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import product

from ose.core.search_space import Member
from ose.core.significance import score_difference
from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.base import Outcome, Proposal, proposals_of

_TIED = 2
"""Candidates that do not differ significantly from the last one to go on go on too, up to so many times what goes on
anyway: where all are alike, a round must still cost no more than that."""


class HalvingStrategy:
    """Trains in rounds; the best of each round go on from where they are.

    One in eta goes on, and with it all whose score does not differ significantly from that of the last of them
    (`core/significance.py`). The search ends when a single candidate would go on, which then differs from all others,
    or at the last round.

    Source:
        Successive halving (arXiv 1502.07943) with the rounds of Hyperband's most exploring bracket (arXiv 1603.06560,
        Algorithm 1). There a round has a fixed number of survivors; keeping ties is ours.

    Args:
        members: What is compared, in order.
        theta: How each is trained.
        rounds: Steps at the end of each round.
        eta: One in so many goes on.
    """

    def __init__(
        self, members: Iterable[Member], theta: Sequence[Hyperparameters], rounds: Sequence[int], eta: int
    ) -> None:
        self._rounds = rounds
        self._eta = eta
        self._round = 0
        self._asked: dict[int, Proposal] = {}
        self._told: dict[int, Outcome] = {}
        self._waiting = proposals_of(product(members, theta), rounds[0])

    def ask(self) -> Sequence[Proposal]:
        """A whole round; the next one when all of the last one was told."""
        if self._asked and len(self._told) == len(self._asked):
            self._waiting = self._next_round()
            self._asked, self._told = {}, {}
        proposals, self._waiting = self._waiting, []
        self._asked |= {proposal.number: proposal for proposal in proposals}
        return proposals

    def tell(self, number: int, outcome: Outcome) -> None:
        """Remember what the next round depends on."""
        self._told[number] = outcome

    def _next_round(self) -> list[Proposal]:
        self._round += 1
        going_on = upper_part(self._told, self._eta)
        if self._round == len(self._rounds) or len(going_on) < 2:
            return []
        first = max(self._asked) + 1
        return [
            replace(
                before,
                number=number,
                num_steps=self._rounds[self._round],
                earlier_phases=before.phases,
                continues=before.number,
            )
            for number, before in enumerate((self._asked[each] for each in going_on), start=first)
        ]


def halving_rounds(search: SearchSpec) -> tuple[int, ...]:
    """Steps at the end of each round: the most, and eta times fewer for each round before, down to the least."""
    rounds = [search.steps]
    while rounds[0] / search.eta >= search.min_steps:
        rounds.insert(0, round(rounds[0] / search.eta))
    return tuple(rounds)


def upper_part(outcomes: dict[int, Outcome], eta: int) -> list[int]:
    """The numbers of those that go on, ascending: one in eta, and all that are tied with the last of them."""
    sort_keys = {number: outcome.sort_key for number, outcome in outcomes.items()}
    trained = [(sort_key, -number) for number, sort_key in sort_keys.items() if sort_key is not None]
    best_first = [-number for _, number in sorted(trained, reverse=True)]
    count = num_survivors(len(outcomes), eta)
    upper, rest = best_first[:count], best_first[count : _TIED * count]
    tied = [number for number in rest if _are_tied(outcomes[upper[-1]], outcomes[number])]
    return sorted(upper + tied)


def num_survivors(num_candidates: int, eta: int) -> int:
    """How many of a round go on if all differ significantly."""
    return -(-num_candidates // eta)


def most_survivors(num_candidates: int, eta: int) -> int:
    """How many of a round go on if none differs significantly."""
    return _TIED * num_survivors(num_candidates, eta)


def expected_rounds(num_candidates: int, search: SearchSpec) -> list[tuple[int, int]]:
    """(candidates, steps of each) of every round if all differ significantly."""
    found, before = [], 0
    for steps in halving_rounds(search):
        found.append((num_candidates, steps - before))
        num_candidates, before = num_survivors(num_candidates, search.eta), steps
        if num_candidates < 2:
            break
    return found


def _are_tied(last: Outcome, other: Outcome) -> bool:
    if not (last.has_passed and other.has_passed) or last.judged is None or other.judged is None:
        return False
    return not score_difference(last.judged, other.judged).is_significant
