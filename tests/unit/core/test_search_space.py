"""Covers ose/families/counts.py."""

import dataclasses
import time
from itertools import pairwise, product
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ose.core.architecture import EmbeddingShape
from ose.core.layer_choice import MEASURED_RULES, LayerRule, kept_layers
from ose.core.search_space import AXES, Member, SearchSpace
from ose.errors import SearchSpaceError
from ose.families.counts import FamilyCounts

COUNTS = FamilyCounts(EmbeddingShape(vocab_size=50_265, max_position_embeddings=514))
BORT = SearchSpace(
    name="bort",
    num_hidden_layers=(2, 4, 6, 8, 10, 12),
    num_attention_heads=(4, 8, 12, 16),
    hidden_size=(512, 768, 1024),
    intermediate_size=(256, 512, 768, 1024, 3072),
)

RULES = get_args(LayerRule)

axis = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def key(shape: Member, counts: FamilyCounts) -> tuple[object, ...]:
    member, layers = shape.architecture, shape.layers
    return (
        counts.parameters(member).total,
        counts.flops(member, 128),
        member.num_hidden_layers,
        member.hidden_size,
        member.intermediate_size,
        member.num_attention_heads,
        (RULES.index(layers), ()) if isinstance(layers, str) else (len(RULES), layers or ()),
    )


def test_the_papers_space_has_300_valid_members() -> None:
    members = list(BORT.members(COUNTS))
    assert BORT.size == len(members) == len(set(members)) == 300
    assert members[0] == Member(architecture=members[0].architecture, layers=None)
    assert str(members[0].architecture) == "L2-A4-H512-I256"
    assert str(members[-1].architecture) == "L12-A16-H1024-I3072"


def test_parameters_never_fall_along_the_order() -> None:
    counts = [COUNTS.parameters(member.architecture).total for member in BORT.members(COUNTS)]
    assert all(before <= after for before, after in pairwise(counts))


@st.composite
def layer_axis(draw: st.DrawFn, depths: list[int]) -> list[object]:
    """Rules, and lists of layers of a teacher of twelve, each as long as some depth."""
    lists = st.sampled_from(depths).flatmap(
        lambda depth: st.sets(st.integers(0, 11), min_size=depth, max_size=depth).map(lambda s: tuple(sorted(s)))
    )
    return draw(st.lists(st.sampled_from(RULES) | lists, max_size=4))


@settings(max_examples=60, deadline=None)
@given(depths=axis, heads=axis, widths=axis, inner=axis, vocab_size=st.integers(1, 100), data=st.data())
def test_members_are_all_valid_combinations_once_in_the_total_order(
    depths: list[int], heads: list[int], widths: list[int], inner: list[int], vocab_size: int, data: st.DataObject
) -> None:
    layers = data.draw(layer_axis(depths))
    counts = FamilyCounts(EmbeddingShape(vocab_size=vocab_size, max_position_embeddings=10))
    valid = {
        (d, a, h, i, kept)
        for d, a, h, i, kept in product(depths, heads, widths, inner, layers or [None])
        if h % a == 0 and (kept is None or isinstance(kept, str) or len(kept) == d)
    }
    axes = {
        "num_hidden_layers": tuple(depths),
        "num_attention_heads": tuple(heads),
        "hidden_size": tuple(widths),
        "intermediate_size": tuple(inner),
        "layers": tuple(layers),
    }
    if not valid:
        with pytest.raises(SearchSpaceError, match="no valid member"):
            SearchSpace(name="empty", **axes)
        return
    space = SearchSpace(name="any", **axes)
    members = list(space.members(counts))
    found = {(*(getattr(member.architecture, name) for name in AXES), member.layers) for member in members}
    assert space.size == len(members)
    assert found == valid
    assert all(key(before, counts) < key(after, counts) for before, after in pairwise(members))
    stride = data.draw(st.integers(1, len(members) + 1))
    assert list(space.members(counts, stride=stride)) == members[::stride]


@settings(max_examples=60, deadline=None)
@given(depths=axis, data=st.data())
def test_a_known_teacher_makes_choices_that_keep_the_same_one_member(depths: list[int], data: st.DataObject) -> None:
    space = SearchSpace(
        name="any",
        num_hidden_layers=tuple(depths),
        num_attention_heads=(1,),
        hidden_size=(8,),
        intermediate_size=(8,),
        layers=tuple(data.draw(layer_axis(depths))),
    )
    members = list(space.members(COUNTS, num_teacher_layers=12))
    importance = range(12)  # which layers are measured to matter is not known yet: members of their own
    kept = [
        (
            m.architecture,
            m.layers and (m.layers in MEASURED_RULES and m.layers, kept_layers(m.layers, 12, depth, importance)),
        )
        for m in members
        if (depth := m.architecture.num_hidden_layers)
    ]
    assert len(kept) == len(set(kept)) == space.count(num_teacher_layers=12) <= space.size
    everything = space.members(COUNTS)
    assert {m.architecture for m in members} == {m.architecture for m in everything}


def test_the_order_does_not_depend_on_how_the_axes_are_written() -> None:
    reversed_space = SearchSpace(
        name="bort",
        num_hidden_layers=BORT.num_hidden_layers[::-1] * 2,
        num_attention_heads=BORT.num_attention_heads[::-1],
        hidden_size=BORT.hidden_size[::-1],
        intermediate_size=BORT.intermediate_size[::-1],
    )
    assert reversed_space == BORT
    choices = ("top", (0, 5), "distilbert", (0, 1))
    either = [dataclasses.replace(BORT, layers=each) for each in (choices, choices[::-1] * 2)]
    assert either[0] == either[1]
    assert either[0].layers == ("distilbert", "top", (0, 1), (0, 5))


@pytest.mark.long("a million of what the tests beside it list by the dozen")
def test_a_million_members_are_listed_in_bounded_time() -> None:
    space = SearchSpace(
        name="huge",
        num_hidden_layers=tuple(range(1, 51)),
        num_attention_heads=(1, 2, 4, 8),
        hidden_size=tuple(range(64, 64 + 8 * 100, 8)),
        intermediate_size=tuple(range(64, 64 + 16 * 50, 16)),
    )
    started = time.process_time()
    assert sum(1 for _ in space.members(COUNTS)) == space.size == 1_000_000
    assert time.process_time() - started < 15  # two seconds on an idle core


@pytest.mark.parametrize(("values", "message"), [((), "hidden_size is empty"), ((0, 8), "must be positive, not 0")])
def test_an_axis_without_use_is_refused(values: tuple[int, ...], message: str) -> None:
    with pytest.raises(SearchSpaceError, match=message):
        SearchSpace(
            name="odd", num_hidden_layers=(1,), num_attention_heads=(1,), hidden_size=values, intermediate_size=(8,)
        )


def test_an_unknown_family_is_refused() -> None:
    with pytest.raises(SearchSpaceError, match="family must be one of transformer"):
        SearchSpace(
            name="odd",
            num_hidden_layers=(1,),
            num_attention_heads=(1,),
            hidden_size=(8,),
            intermediate_size=(8,),
            family="fungus",
        )
