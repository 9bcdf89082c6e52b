"""Whatever a strategy goes through, it heeds what has become of the job meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace

import builders
import pytest
from fake_search import SPEC

from ose.core.search_space import SearchSpace
from ose.core.spec import JobSpec, SearchSpec
from ose.strategies.registry import build_strategy

TEN_MILLIONS = SearchSpace(
    name="huge",
    num_hidden_layers=tuple(range(1, 101)),
    num_attention_heads=(1,),
    hidden_size=tuple(range(1, 101)),
    intermediate_size=tuple(range(1, 1001)),
)


class LostError(Exception):
    """The job is no longer ours."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "search",
    [
        SearchSpec(),
        SearchSpec(epsilon=10**7),
        SearchSpec(strategy="halving", epsilon=1000),
        SearchSpec(strategy="random", num_candidates=3),
        SearchSpec(strategy="optuna", num_candidates=20, wave=20),
    ],
    ids=["ose", "sparse", "halving", "random", "optuna"],
)
def test_a_strategy_looks_up_again_and_again(search: SearchSpec) -> None:
    looks: list[float] = []

    def heed() -> None:
        looks.append(time.monotonic())
        if len(looks) == 4:
            raise LostError

    spec: JobSpec = replace(SPEC, space=TEN_MILLIONS, search=search)
    began = time.monotonic()
    with pytest.raises(LostError):
        build_strategy(spec, builders.teacher_facts(), heed).ask()
    assert max(after - before for before, after in zip([began, *looks], looks, strict=False)) < 5
