from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.core.layer_subsets import BEAM_WIDTH, MAX_SUBSETS, Subset, SubsetScore, rule_subsets, score_subsets


def scorer(worth: Sequence[float], seen: list[Subset]):
    """Scores a subset by what is missing of the layers' worth, and remembers what it was asked for."""

    def measure(subsets: Sequence[Subset]) -> list[SubsetScore]:
        seen.extend(subsets)
        lost = [sum(worth) - sum(worth[layer] for layer in subset) for subset in subsets]
        return [
            SubsetScore(layers=subset, loss_nats=loss, loss_stderr_nats=0.1)
            for subset, loss in zip(subsets, lost, strict=True)
        ]

    return measure


def test_rules_that_keep_the_same_are_told_together() -> None:
    assert rule_subsets(12, 6, {}) == {
        (0, 2, 4, 7, 9, 11): ("distilbert",),
        (1, 3, 5, 7, 9, 11): ("even",),
        (0, 2, 4, 6, 8, 10): ("alternate",),
        (0, 1, 2, 3, 4, 5): ("bottom",),
        (6, 7, 8, 9, 10, 11): ("top",),
    }
    assert rule_subsets(4, 1, {}) == {(0,): ("distilbert", "alternate", "bottom"), (3,): ("even", "top")}
    measured = rule_subsets(4, 1, {"influence": [0, 1, 3, 2], "elimination": [0, 1, 2, 3]})
    assert measured == {
        (0,): ("distilbert", "alternate", "bottom"),
        (2,): ("influence",),
        (3,): ("even", "top", "elimination"),
    }


@pytest.mark.parametrize(("total", "kept"), [(4, 1), (6, 3), (12, 3), (12, 11)])
def test_few_subsets_are_all_scored(total: int, kept: int) -> None:
    seen: list[Subset] = []
    scores = score_subsets(total, kept, scorer(range(total), seen))
    assert [score.layers for score in scores] == seen == list(combinations(range(total), kept))


@settings(max_examples=20, deadline=None)
@given(worth=st.lists(st.floats(0, 10), min_size=12, max_size=12), data=st.data())
def test_of_many_subsets_the_best_is_found_where_layers_do_not_depend_on_one_another(
    worth: list[float], data: st.DataObject
) -> None:
    kept = data.draw(st.integers(5, 7))
    assert comb(12, kept) > MAX_SUBSETS
    seen: list[Subset] = []
    also = list(rule_subsets(12, kept, {}))
    scores = score_subsets(12, kept, scorer(worth, seen), also)
    sized = [score for score in scores if len(score.layers) == kept]
    assert min(score.loss_nats for score in sized) == pytest.approx(sum(sorted(worth)[: 12 - kept]))
    assert {score.layers for score in sized} >= set(also)
    assert len(seen) == len(set(seen)) == len(scores) <= 12 + 11 * BEAM_WIDTH * (12 - kept) < comb(12, kept)
