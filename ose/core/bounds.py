"""What the numbers of a job may be. Each field says it in its annotation, and all are held to it by one check.

These bounds are those beyond which a number makes no sense anywhere. What a machine's owner allows of them is in
`ose.settings`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

from ose.errors import InvalidInputError

FINEST = 1e-30
"""Anything nearer to zero is lost in single precision: it must be meant as zero, or be a slip."""

_LONGEST = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What every number of a field may be, both ends included; it stands in the field's annotation.

    Example:
        >>> steps: Annotated[int, Bounds(1, 10_000_000)] = 100  # doctest: +SKIP
    """

    least: float
    most: float

    def demand(self, number: float) -> str:
        """What is to be said of a number that is not within."""
        if isinstance(number, float) and math.isinf(number):
            return "be a finite number"
        if number > self.most:
            return f"be at most {_written(self.most)}"
        if self.least > 0 and not number > 0:
            return "be positive"
        return "not be negative" if self.least == 0 and not number > 0 else f"be at least {_written(self.least)}"

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], Any]) -> Any:
        """Say them in the JSON schema of a field, which pydantic asks for: of each number in it."""
        return _with_bounds(handler(core_schema), self)


MAX_SEED = 2**32 - 1
"""Generators are seeded with multiples of the seed, which have to fit into 64 bits."""

SEED = Bounds(0, MAX_SEED)
STEPS = Bounds(1, 10_000_000)
BATCH = Bounds(1, 65_536)
SEQUENCE = Bounds(1, 65_536)
"""Tokens of a sequence."""

THREADS = Bounds(1, 4_096)
ATTEMPTS = Bounds(1, 100)
SECONDS = Bounds(0.001, 3_600)
NUMBER = Bounds(1, 2**31 - 1)
"""Of a candidate, as databases keep it."""

SHARE = Bounds(0, 1)
FACTOR = Bounds(1e-9, 1e9)
"""Of what may be scaled in any sensible way."""

DEPTH = Bounds(1, 1_000)
HEADS = Bounds(1, 65_536)
WIDTH = Bounds(1, 65_536)
INNER_WIDTH = Bounds(1, 262_144)
"""Of the feed-forward layer. The operations of the largest model still fit into the 63 bits that databases have."""

LAYER = Bounds(0, 999)
"""Of a teacher, counted from 0."""


def require_bounds(owner: object, place: str = "", error: type[InvalidInputError] = InvalidInputError) -> None:
    """Refuse a dataclass with a number that is not within the bounds of its field.

    Args:
        owner: What is None, or a word where a number may be, is left alone.
        place: What the message puts before the field's name.
        error: What is raised.

    Raises:
        InvalidInputError: A number is out of bounds.
    """
    kind: Any = type(owner)
    for name, bounds in bounds_of(kind).items():
        value = getattr(owner, name)
        if type(value) is int and bounds.least <= value <= bounds.most:  # as most are, of millions of architectures
            continue
        for number in _numbers(value):
            if not bounds.least <= number <= bounds.most:
                raise error(f"{place}{name} must {bounds.demand(number)}, not {shown(number)}")
            if 0 < abs(number) < FINEST:
                raise error(f"{place}{name} must be zero, or at least {FINEST}, not {shown(number)}")


@cache
def bounds_of(kind: Any) -> Mapping[str, Bounds]:
    """The bounds of a dataclass's fields, of those that say any."""
    hints = get_type_hints(kind, include_extras=True)
    said = {name: getattr(hint, "__metadata__", ()) for name, hint in hints.items()}
    found = {name: [each for each in metadata if isinstance(each, Bounds)] for name, metadata in said.items()}
    return {name: bounds for name, [bounds] in ((n, each) for n, each in found.items() if each)}


def require_ascending_steps(name: str, steps: Sequence[int]) -> None:
    """Refuse a list of step counts that is empty, or not positive and ascending."""
    if not steps or not all(before < after for before, after in pairwise((0, *steps))):
        raise InvalidInputError(f"{name} must be positive step counts in ascending order, not {list(steps)}")


def _with_bounds(schema: Any, bounds: Bounds) -> Any:
    if isinstance(schema, list):
        return [_with_bounds(each, bounds) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _with_bounds(each, bounds) for name, each in schema.items()}
    is_number = inner.get("type") in ("integer", "number")
    return {**inner, "minimum": bounds.least, "maximum": bounds.most} if is_number else inner


def whole_power(text: str, value: float) -> float:
    """A number that is written with a power of ten and has no fraction is whole: 1e6 is a million, and 100.0 is none.

    Args:
        text: How it is written.
        value: What that is, as a float.
    """
    is_whole = "e" in text.lower() and abs(value) < _EXACT and value.is_integer()
    return int(value) if is_whole else value


_EXACT = 2**53
"""Beyond, not every whole number is one that a float holds."""


def shown(value: object) -> str:
    """A value as a message shows it: cut where it is long; of whole numbers too long to write, how long they are."""
    if isinstance(value, int) and value.bit_length() > 1_000:  # Python refuses to write what has thousands of digits
        return f"a number of {value.bit_length():,} bits"
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _numbers(value: Any) -> Iterator[Any]:
    """The numbers in a field: itself, or those of its lists."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _numbers(item)
    elif not isinstance(value, (str, type(None))):
        yield value


def _written(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"
