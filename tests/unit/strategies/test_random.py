from __future__ import annotations

import builders
import pytest

from ose.core.spec import Hyperparameters, SearchSpec
from ose.strategies.random import RandomStrategy

SPACE = builders.search_space()
MEMBERS = list(SPACE.members(builders.COUNTS))
THETA = (Hyperparameters(), Hyperparameters(learning_rate=1e-4))


def drawn(num_candidates: int, seed: int = 0) -> list[tuple[object, Hyperparameters]]:
    search = SearchSpec(strategy="random", num_candidates=num_candidates, seed=seed, hyperparameters=THETA)
    proposals = RandomStrategy(iter(MEMBERS), search, len(MEMBERS)).ask()
    assert [each.number for each in proposals] == list(range(1, len(proposals) + 1))
    return [(each.architecture, each.hyperparameters) for each in proposals]


@pytest.mark.parametrize("num_candidates", [1, 7, 2 * len(MEMBERS), 1000])
def test_so_many_are_drawn_each_once_in_the_order_of_sizes(num_candidates: int) -> None:
    found = drawn(num_candidates)
    everything = [(member.architecture, each) for member in MEMBERS for each in THETA]
    assert len(found) == min(num_candidates, len(everything))
    assert [each for each in everything if each in found] == found


def test_the_seed_decides() -> None:
    assert drawn(7) == drawn(7)
    assert len({tuple(drawn(7, seed)) for seed in range(5)}) > 1


def test_all_are_equally_likely() -> None:
    counts = [0] * len(MEMBERS)
    shapes = [member.architecture for member in MEMBERS]
    for seed in range(300):
        for shape, _ in drawn(4, seed):
            counts[shapes.index(shape)] += 1
    expected = 300 * 4 / len(MEMBERS)
    assert all(0.6 * expected < count < 1.4 * expected for count in counts)
