"""The set of architectures a job may choose from, and its one order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import product
from typing import get_args

from ose.core.architecture import Architecture, EmbeddingShape, count_flops, count_parameters
from ose.core.layers import MEASURED_RULES, LayerChoice, LayerRule, kept_layers
from ose.errors import SearchSpaceError

FAMILIES = ("transformer",)
"""Families of students that can be built. `transformer` takes the teacher's own class."""

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
    num_hidden_layers: tuple[int, ...]
    num_attention_heads: tuple[int, ...]
    hidden_size: tuple[int, ...]
    intermediate_size: tuple[int, ...]
    layers: tuple[LayerChoice, ...] = ()
    embedding: EmbeddingShape | None = None
    family: str = "transformer"
    description: str = ""

    def __post_init__(self) -> None:
        for axis in ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"):
            values = getattr(self, axis)
            if not values:
                raise SearchSpaceError(f"space {self.name!r}: {axis} is empty")
            if min(values) < 1:
                raise SearchSpaceError(f"space {self.name!r}: {axis} must be positive, not {min(values)}")
            object.__setattr__(self, axis, tuple(sorted(set(values))))
        for layers in self.layers:
            self._require_fit(layers)
        object.__setattr__(self, "layers", tuple(sorted(set(self.layers), key=_rules_first)))
        if self.family not in FAMILIES:
            raise SearchSpaceError(f"space {self.name!r}: family must be one of {', '.join(FAMILIES)}")
        if self.size == 0:
            raise SearchSpaceError(
                f"space {self.name!r} has no valid member: none of the heads {list(self.num_attention_heads)} "
                f"divides any of the hidden sizes {list(self.hidden_size)}"
            )

    @property
    def size(self) -> int:
        """Number of valid members, counted without a teacher."""
        return self.count()

    def count(self, num_teacher_layers: int | None = None) -> int:
        """Number of members that `members` yields."""
        pairs = sum(h % a == 0 for h in self.hidden_size for a in self.num_attention_heads)
        choices = sum(len(self.layer_choices(d, num_teacher_layers)) for d in self.num_hidden_layers)
        return pairs * choices * len(self.intermediate_size)

    def members(
        self, embedding: EmbeddingShape, num_teacher_layers: int | None = None, *, stride: int = 1
    ) -> Iterator[Member]:
        """Yield the valid members in the order (p, operations, D, H, I, A, layers), all ascending.

        Heads and layers kept change neither p nor the operations, so only the (D, H, I) triples are sorted
        and the others follow inside each. For one (D, H) the triples lie in order by themselves, so these runs are
        merged as they are asked for: a space of millions takes no more memory than its axes.

        Args:
            embedding: The teacher's; p depends on it.
            num_teacher_layers: The teacher's depth. With it, choices that keep the same layers at some D are
                one member; without it they cannot be told apart.
            stride: Yield the first member and every stride-th after it; what lies between is only counted.
        """
        choices = {d: self.layer_choices(d, num_teacher_layers) for d in self.num_hidden_layers}
        heads = {h: [a for a in self.num_attention_heads if h % a == 0] for h in self.hidden_size}
        variants = {(d, h): list(product(heads[h], choices[d])) for d in choices for h in heads}
        runs = [_sort_keys(d, h, self.intermediate_size, embedding) for d, h in variants]
        skipped = 0
        for _, _, d, h, i in merge(*runs):
            of_triple = variants[d, h]
            for a, layers in of_triple[skipped::stride]:
                shape = Architecture(num_hidden_layers=d, num_attention_heads=a, hidden_size=h, intermediate_size=i)
                yield Member(architecture=shape, layers=layers)
            skipped = (skipped - len(of_triple)) % stride

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
                f"but num_hidden_layers is {list(self.num_hidden_layers)}"
            )


def _rules_first(layers: LayerChoice) -> tuple[int, tuple[int, ...]]:
    """Rules as they are listed, then lists by their layers: one order, however the axis is written."""
    return (get_args(LayerRule).index(layers), ()) if isinstance(layers, str) else (len(get_args(LayerRule)), layers)


def _sort_keys(
    d: int, h: int, intermediate_sizes: Sequence[int], embedding: EmbeddingShape
) -> Iterator[tuple[int, int, int, int, int]]:
    """(p, operations, D, H, I), ascending; both counts are linear in I."""
    (p_1, flops_1), (p_2, flops_2) = (_counts(d, h, i, embedding) for i in (1, 2))
    for i in intermediate_sizes:
        yield p_1 + (i - 1) * (p_2 - p_1), flops_1 + (i - 1) * (flops_2 - flops_1), d, h, i


def _counts(d: int, h: int, i: int, embedding: EmbeddingShape) -> tuple[int, int]:
    architecture = Architecture(num_hidden_layers=d, num_attention_heads=1, hidden_size=h, intermediate_size=i)
    return count_parameters(architecture, embedding).total, count_flops(architecture, _REFERENCE_LENGTH)
