"""The set of architectures a job may choose from, and its one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from itertools import chain
from typing import Annotated, NamedTuple, get_args

from ose.core.architecture import Architecture, Counts, EmbeddingShape
from ose.core.bounds import DEPTH, HEADS, INNER_WIDTH, LAYER, WIDTH, require_bounds
from ose.core.layer_choice import MEASURED_RULES, LayerChoice, LayerRule, kept_layers
from ose.errors import SearchSpaceError

FAMILIES = ("transformer",)
"""What a space can ask for: `transformer` is the family of the teacher's students, whatever its name."""

AXES = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")

SLICE = 10_000
"""Members that are looked at between two looks at anything else: some hundredths of a second."""

_SHOWN = 12
"""Values of an axis that a message shows."""

_REFERENCE_LENGTH = 128
"""Tokens at which operations break ties, so that one space has one order on every device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A point of a search space.

    Attributes:
        layers: Which of the teacher's layers it keeps; None where the space leaves that to the job.
    """

    architecture: Architecture
    layers: LayerChoice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """All combinations of the axes in which the heads divide the hidden size.

    Attributes:
        name: What leaderboards call it.
        num_hidden_layers: Values of D.
        num_attention_heads: Values of A.
        hidden_size: Values of H.
        intermediate_size: Values of I.
        layers: Rules and lists of the teacher's layers to keep, each combined with every other axis; a list
            with the D that is its length. Empty leaves the choice to the job, `search.inheritance.layers`.
        embedding: The embedding table assumed when the space is shown without a teacher; a job
            takes its teacher's.
        family: How students are built.
        description: One line for people.

    Raises:
        SearchSpaceError: An axis is empty or not positive, no combination is valid, or a list of layers is out of
            order or as long as no D.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    num_hidden_layers: Annotated[tuple[int, ...], DEPTH]
    num_attention_heads: Annotated[tuple[int, ...], HEADS]
    hidden_size: Annotated[tuple[int, ...], WIDTH]
    intermediate_size: Annotated[tuple[int, ...], INNER_WIDTH]
    layers: Annotated[tuple[LayerChoice, ...], LAYER] = ()
    embedding: EmbeddingShape | None = None
    family: str = "transformer"
    description: str = ""

    def __post_init__(self) -> None:
        for axis in AXES:
            if not getattr(self, axis):
                raise SearchSpaceError(f"space {self.name!r}: {axis} is empty")
            object.__setattr__(self, axis, tuple(sorted(set(getattr(self, axis)))))
        for layers in self.layers:
            self._require_fit(layers)
        require_bounds(self, f"space {self.name!r}: ", SearchSpaceError)
        object.__setattr__(self, "layers", tuple(sorted(set(self.layers), key=_rules_first)))
        if self.family not in FAMILIES:
            raise SearchSpaceError(f"space {self.name!r}: family must be one of {', '.join(FAMILIES)}")
        if not _has_pair(self.num_attention_heads, self.hidden_size):
            raise SearchSpaceError(
                f"space {self.name!r} has no valid member: none of the heads {_listed(self.num_attention_heads)} "
                f"divides any of the hidden sizes {_listed(self.hidden_size)}"
            )

    @property
    def size(self) -> int:
        """Number of valid members, counted without a teacher."""
        return self.count()

    @property
    def num_pairs(self) -> int:
        """Pairs of heads and hidden size that have to be looked at to count."""
        return len(self.num_attention_heads) * len(self.hidden_size)

    def count(self, num_teacher_layers: int | None = None) -> int:
        """Number of members that `members` yields: a look at each of `num_pairs`, and at no member."""
        choices = sum(len(self.layer_choices(d, num_teacher_layers)) for d in self.num_hidden_layers)
        return _num_valid(self.num_attention_heads, self.hidden_size) * choices * len(self.intermediate_size)

    def members(self, counts: Counts, num_teacher_layers: int | None = None, *, stride: int = 1) -> Iterator[Member]:
        """Yield the valid members in the order (p, operations, D, H, I, A, layers), all ascending.

        Args:
            counts: Of the family that they are of, with the teacher's embedding; the order depends on it.
            num_teacher_layers: The teacher's depth. With it, choices that keep the same layers at some D are
                one member; without it they cannot be told apart.
            stride: Yield the first member and every stride-th after it; what lies between is only counted.
        """
        return chain.from_iterable(self.slices(counts, num_teacher_layers, stride=stride))

    def slices(
        self, counts: Counts, num_teacher_layers: int | None = None, *, stride: int = 1
    ) -> Iterator[list[Member]]:
        """Yield the same as `members` in lists, one for each SLICE members looked at; it may be empty.

        Heads and layers kept change neither p nor the operations, so only the (D, H, I) triples are sorted
        and the others follow inside each.
        """
        choices = {d: self.layer_choices(d, num_teacher_layers) for d in self.num_hidden_layers}
        heads = {h: [a for a in self.num_attention_heads if h % a == 0] for h in self.hidden_size}
        found: list[Member] = []
        skipped = num_seen = 0
        for d, h, i in self._triples(counts):
            num_members = len(heads[h]) * len(choices[d])
            num_seen += max(1, num_members)
            for place in range(skipped, num_members, stride):
                a, layers = heads[h][place // len(choices[d])], choices[d][place % len(choices[d])]
                shape = _shape(counts, d, a, h, i)
                found.append(Member(architecture=shape, layers=layers))
                if len(found) == SLICE:
                    yield found
                    found, num_seen = [], 0
            skipped = (skipped - num_members) % stride
            if num_seen >= SLICE:
                yield found
                found, num_seen = [], 0
        yield found

    def _triples(self, counts: Counts) -> Iterator[tuple[int, int, int]]:
        """The (D, H, I) in order.

        For one (D, H) they lie in order by themselves. Such a run is opened when the one before it along H, or along D,
        has begun, which is never too late: so a space of millions takes little more memory than its axes.
        """
        depths, widths, sizes = self.num_hidden_layers, self.hidden_size, self.intermediate_size
        costs = [_width_costs(width, counts) for width in widths]

        def place(d: int, h: int, i: int) -> tuple[int, int, int, int, int]:
            return (*costs[h].at(depths[d], sizes[i]), d, h, i)

        begun = [place(0, 0, 0)]
        while begun:
            _, _, d, h, i = heappop(begun)
            yield depths[d], widths[h], sizes[i]
            if i + 1 < len(sizes):
                heappush(begun, place(d, h, i + 1))
            if i == 0 and h + 1 < len(widths):
                heappush(begun, place(d, h + 1, 0))
            if i == h == 0 and d + 1 < len(depths):
                heappush(begun, place(d + 1, 0, 0))

    def layer_choices(self, depth: int, num_teacher_layers: int | None) -> tuple[LayerChoice | None, ...]:
        """What students of this depth may keep; of choices that keep the same, the first."""
        if not self.layers:
            return (None,)
        fitting = [layers for layers in self.layers if isinstance(layers, str) or len(layers) == depth]
        if num_teacher_layers is None:
            return tuple(fitting)
        distinct: dict[object, LayerChoice] = {}
        for layers in fitting:
            is_unknown = layers in MEASURED_RULES
            distinct.setdefault(layers if is_unknown else kept_layers(layers, num_teacher_layers, depth), layers)
        return tuple(distinct.values())

    def _require_fit(self, layers: LayerChoice) -> None:
        if isinstance(layers, str):
            return
        if list(layers) != sorted(set(layers)) or min(layers, default=-1) < 0:
            raise SearchSpaceError(f"space {self.name!r}: layers {list(layers)} are not in ascending order from 0 up")
        if len(layers) not in self.num_hidden_layers:
            raise SearchSpaceError(
                f"space {self.name!r}: layers {list(layers)} are {len(layers)}, "
                f"but num_hidden_layers is {_listed(self.num_hidden_layers)}"
            )


def _rules_first(layers: LayerChoice) -> tuple[int, tuple[int, ...]]:
    """Rules as they are listed, then lists by their layers: one order, however the axis is written."""
    return (get_args(LayerRule).index(layers), ()) if isinstance(layers, str) else (len(get_args(LayerRule)), layers)


class _WidthCosts(NamedTuple):
    """Parameters and operations of all shapes of one H: so much in any case, and so much a layer, both linear in I."""

    fixed: int
    layer: int
    layer_per_i: int
    flops: int
    flops_per_i: int

    def at(self, d: int, i: int) -> tuple[int, int]:
        """(p, operations) of one of them."""
        return self.fixed + d * (self.layer + i * self.layer_per_i), d * (self.flops + i * self.flops_per_i)


def _width_costs(h: int, counts: Counts) -> _WidthCosts:
    (p, flops), (p_wider, flops_wider) = (_cost(counts, 1, h, i) for i in (1, 2))
    layer, per_i, flops_per_i = _cost(counts, 2, h, 1)[0] - p, p_wider - p, flops_wider - flops
    return _WidthCosts(p - layer, layer - per_i, per_i, flops - flops_per_i, flops_per_i)


def _cost(counts: Counts, d: int, h: int, i: int) -> tuple[int, int]:
    """(p, operations); heads change neither."""
    architecture = _shape(counts, d, 1, h, i)
    return counts.parameters(architecture).total, counts.flops(architecture, _REFERENCE_LENGTH)


def _shape(counts: Counts, d: int, a: int, h: int, i: int) -> Architecture:
    return Architecture(
        num_hidden_layers=d, num_attention_heads=a, hidden_size=h, intermediate_size=i, family=counts.family
    )


@lru_cache(maxsize=256)  # a list of jobs has the same few spaces again and again
def _has_pair(heads: tuple[int, ...], hidden_sizes: tuple[int, ...]) -> bool:
    return any(h % a == 0 for a in heads for h in hidden_sizes)


@lru_cache(maxsize=256)
def _num_valid(heads: tuple[int, ...], hidden_sizes: tuple[int, ...]) -> int:
    return sum(h % a == 0 for h in hidden_sizes for a in heads)


def _listed(values: Sequence[int]) -> str:
    """A list of values for people, cut where it is long."""
    return f"[{', '.join(map(str, values[:_SHOWN]))}{', ...' if len(values) > _SHOWN else ''}]"
