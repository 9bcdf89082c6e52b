"""Every number that a user can give has bounds, and all are held to them.

Tests ose/inputs/requests.py too.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest

from ose.core.architecture import Architecture
from ose.core.bounds import FINEST, Bounds, bounds_of, shown
from ose.core.layer_subsets import LayerQuestion
from ose.core.recipe import DistillationSpec
from ose.core.spec import Hyperparameters, JobSpec
from ose.errors import InvalidInputError, SearchSpaceError
from ose.inputs.requests import DistillationRequest, ExtensionRequest, TokenRequest
from ose.leaderboard.read import LeaderboardQuery

ASKED = [JobSpec, LayerQuestion, LeaderboardQuery, DistillationRequest, ExtensionRequest, TokenRequest]


def parts(hint: Any) -> Iterator[Any]:
    """Everything that a type is made of."""
    yield hint
    for each in get_args(hint):
        yield from parts(each)


def kinds(kind: Any) -> Iterator[Any]:
    """A dataclass and all below it, once each."""
    waiting, seen = [kind], set()
    while waiting:
        kind = waiting.pop()
        if kind not in seen:
            seen.add(kind)
            yield kind
            hints = get_type_hints(kind).values()
            waiting += [each for hint in hints for each in parts(hint) if dataclasses.is_dataclass(each)]


FIELDS = [
    (kind, name)
    for kind in dict.fromkeys(each for asked in ASKED for each in kinds(asked))
    for name, hint in get_type_hints(kind).items()
    if {int, float} & set(parts(hint))
]


@pytest.mark.parametrize(("kind", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value))
def test_every_number_that_can_be_asked_for_has_bounds(kind: Any, name: str) -> None:
    bounds = bounds_of(kind).get(name)
    assert bounds is not None, f"{kind.__name__}.{name} is a number without bounds: annotate it"
    assert -math.inf < bounds.least < bounds.most < math.inf


def test_the_fields_are_found() -> None:
    names = {name for _, name in FIELDS}
    assert {"steps", "batch_size", "hidden_size", "layers", "legs", "exponents", "gpus", "betas", "top"} <= names
    assert len(FIELDS) > 70


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (math.nan, "must be positive, not nan"),
        (math.inf, "must be a finite number, not inf"),
        (-math.inf, "must be a finite number, not -inf"),
        (1e-400, "must be positive, not 0.0"),
        (5e-324, "must be at least 1e-12, not 5e-324"),
        (1e300, r"must be at most 100, not 1e\+300"),
        (10**4000, "must be at most 100, not a number of 13,288 bits"),
    ],
    ids=["nan", "inf", "-inf", "zero", "denormal", "large", "huge"],
)
def test_a_number_out_of_bounds_is_one_short_line(number: float, message: str) -> None:
    with pytest.raises(InvalidInputError, match=f"^learning_rate {message}$"):
        Hyperparameters(learning_rate=number)


def test_zero_is_zero_and_not_nearly_so() -> None:
    assert Hyperparameters(weight_decay=0.0).weight_decay == 0
    with pytest.raises(InvalidInputError, match="weight_decay must be zero, or at least 1e-30, not 1e-320"):
        Hyperparameters(weight_decay=1e-320)
    assert Hyperparameters(weight_decay=FINEST).weight_decay == FINEST


def test_each_number_of_a_list_is_held_to_the_bounds_and_words_are_left_alone() -> None:
    assert DistillationSpec(layers="top").layers == "top"
    with pytest.raises(InvalidInputError, match="layers must be at most 999, not 1000"):
        DistillationSpec(layers=(0, 1000))


def test_the_operations_of_the_largest_shape_fit_into_a_database() -> None:
    from ose.core.bounds import DEPTH, INNER_WIDTH, SEQUENCE, WIDTH
    from ose.families.bert.shape import count_flops

    largest = Architecture(
        num_hidden_layers=int(DEPTH.most),
        num_attention_heads=1,
        hidden_size=int(WIDTH.most),
        intermediate_size=int(INNER_WIDTH.most),
    )
    assert count_flops(largest, int(SEQUENCE.most)) < 2**63
    with pytest.raises(SearchSpaceError, match="hidden_size must be at most 65,536"):
        dataclasses.replace(largest, hidden_size=65_537)


def test_a_value_is_shown_in_a_line() -> None:
    assert shown("x" * 200) == f"'{'x' * 56}..."
    assert shown(16**9000).endswith("bits") and shown(7) == "7"


def test_bounds_say_what_they_want() -> None:
    assert Bounds(2, 5).demand(1) == "be at least 2" and Bounds(2, 5).demand(6) == "be at most 5"
