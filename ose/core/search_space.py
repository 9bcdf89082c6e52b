"""The set of architectures a job may choose from, and its one order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from ose.core.architecture import Architecture, EmbeddingShape, count_flops, count_parameters
from ose.errors import SearchSpaceError

FAMILIES = ("transformer",)
"""Families of students that can be built. `transformer` takes the teacher's own class."""

_REFERENCE_LENGTH = 128
"""Tokens at which operations break ties, so that one space has one order on every device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSpace:
    """All combinations of four axes in which the heads divide the hidden size.

    Attributes:
        name: What leaderboards call it.
        num_hidden_layers: Values of D.
        num_attention_heads: Values of A.
        hidden_size: Values of H.
        intermediate_size: Values of I.
        embedding: The embedding table assumed when the space is shown without a teacher; a job
            takes its teacher's.
        family: How students are built.
        description: One line for people.

    Raises:
        SearchSpaceError: An axis is empty or not positive, or no combination is valid.
    """

    __pydantic_config__ = {"extra": "forbid"}

    name: str
    num_hidden_layers: tuple[int, ...]
    num_attention_heads: tuple[int, ...]
    hidden_size: tuple[int, ...]
    intermediate_size: tuple[int, ...]
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
        if self.family not in FAMILIES:
            raise SearchSpaceError(f"space {self.name!r}: family must be one of {', '.join(FAMILIES)}")
        if self.size == 0:
            raise SearchSpaceError(
                f"space {self.name!r} has no valid member: none of the heads {list(self.num_attention_heads)} "
                f"divides any of the hidden sizes {list(self.hidden_size)}"
            )

    @property
    def size(self) -> int:
        """Number of valid members."""
        pairs = sum(h % a == 0 for h in self.hidden_size for a in self.num_attention_heads)
        return pairs * len(self.num_hidden_layers) * len(self.intermediate_size)

    def members(self, embedding: EmbeddingShape) -> Iterator[Architecture]:
        """Yield the valid members in the order (p, operations, D, H, I, A), all ascending.

        Heads change neither p nor the operations, so only the (D, H, I) triples are sorted and
        the heads follow inside each: one total order, found without sorting every member.

        Args:
            embedding: The teacher's; p depends on it.
        """
        triples = product(self.num_hidden_layers, self.hidden_size, self.intermediate_size)
        for _, _, d, h, i in sorted(_sort_key(d, h, i, embedding) for d, h, i in triples):
            for a in self.num_attention_heads:
                if h % a == 0:
                    yield Architecture(num_hidden_layers=d, num_attention_heads=a, hidden_size=h, intermediate_size=i)


def _sort_key(d: int, h: int, i: int, embedding: EmbeddingShape) -> tuple[int, int, int, int, int]:
    architecture = Architecture(num_hidden_layers=d, num_attention_heads=1, hidden_size=h, intermediate_size=i)
    parameters = count_parameters(architecture, embedding).total
    return parameters, count_flops(architecture, _REFERENCE_LENGTH), d, h, i
