"""What samplers ask for, moved to members: the nearest, each once, none invalid."""

from __future__ import annotations

import builders
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.core.search_space import Member
from ose.core.spec import Hyperparameters
from ose.strategies.grid import Grid

SPACE = builders.search_space(num_attention_heads=(2, 3, 4), hidden_size=(32, 48, 64), intermediate_size=(64, 128, 512))
LAYERED = builders.search_space(num_hidden_layers=(2, 3), layers=("bottom", "top", (0, 3)))
THETA = (Hyperparameters(), Hyperparameters(learning_rate=1e-4))


def values(depth: int, heads: int, hidden: int, intermediate: int) -> dict[str, int]:
    names = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    return dict(zip(names, (depth, heads, hidden, intermediate), strict=True))


def exhausted(grid: Grid, start: dict[str, object]) -> list[tuple[Member, Hyperparameters]]:
    found = []
    while (place := grid.nearest(start)) is not None:
        cell = grid.take(place)
        found.append((cell.member, cell.hyperparameters))
    return found


def test_a_free_member_is_itself() -> None:
    assert Grid(SPACE, THETA[:1], 4).nearest(values(2, 3, 48, 512)) == values(2, 3, 48, 512)


def test_heads_move_before_anything_that_changes_the_size() -> None:
    assert Grid(SPACE, THETA[:1], 4).nearest(values(2, 3, 64, 64)) == values(2, 2, 64, 64)


def test_values_between_those_of_an_axis_are_moved_to_the_nearer() -> None:
    grid = Grid(SPACE, THETA[:1], 4)
    assert grid.nearest(values(1, 2, 32, 300))["intermediate_size"] == 128
    assert grid.nearest(values(1, 2, 32, 400))["intermediate_size"] == 512


@pytest.mark.parametrize(("space", "kinds"), [(SPACE, {}), (LAYERED, {"layers": "top"})], ids=["shapes", "layers"])
@pytest.mark.parametrize("theta", [THETA[:1], THETA], ids=["one", "two"])
def test_every_candidate_is_handed_out_once(space, kinds, theta) -> None:
    grid = Grid(space, theta, 4)
    start = {**values(2, 2, 64, 64), **kinds, **({"hyperparameters": 1} if len(theta) > 1 else {})}
    found = exhausted(grid, start)
    members = list(space.members(builders.COUNTS, 4))
    assert len(found) == grid.num_cells == len(members) * len(theta)
    assert set(found) == {(member, each) for member in members for each in theta}


def test_what_is_not_allowed_is_never_handed_out() -> None:
    grid = Grid(SPACE, THETA[:1], 4, lambda shape: shape.hidden_size < 64)
    assert {member.architecture.hidden_size for member, _ in exhausted(grid, values(2, 2, 64, 512))} == {32, 48}


@settings(max_examples=25)
@given(st.data())
def test_nothing_free_is_nearer(data: st.DataObject) -> None:
    axes = {name: getattr(SPACE, name) for name in values(0, 0, 0, 0)}

    def draw() -> dict[str, int]:
        return {name: data.draw(st.sampled_from(axis)) for name, axis in axes.items()}

    def steps(a: dict[str, int], b: dict[str, int]) -> int:
        return sum(abs(axis.index(a[name]) - axis.index(b[name])) for name, axis in axes.items())

    grid, asked = Grid(SPACE, THETA[:1], 4), draw()
    for _ in range(data.draw(st.integers(0, 5))):
        grid.take(grid.nearest(draw()))
    free = first_free(grid, asked, 12)
    assert [steps(asked, each) for each in free] == sorted(steps(asked, each) for each in free)


def first_free(grid: Grid, start: dict[str, int], count: int) -> list[dict[str, int]]:
    found = []
    for _ in range(count):
        found.append(grid.nearest(start))
        grid.take(found[-1])
    return found
