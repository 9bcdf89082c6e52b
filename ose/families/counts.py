"""What the members of a family cost, for those who know no family."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ose.core.architecture import BERT, Architecture, EmbeddingShape, ParameterCount
from ose.core.job import TeacherFacts
from ose.core.masked_positions import num_targets
from ose.families.base import Shape
from ose.families.registry import load_shape


@dataclass(frozen=True)
class FamilyCounts:
    """A family's closed forms with what all students share with their teacher. See `ose.core.architecture.Counts`.

    Attributes:
        embedding: The teacher's.
        head: The task whose head the students have.
        family: Their family.
        positions: From an item's tokens to the places at which a task runs that head.
    """

    embedding: EmbeddingShape
    head: str = "fill_mask"
    family: str = BERT
    positions: Callable[[int], int] = num_targets

    def parameters(self, architecture: Architecture) -> ParameterCount:
        """Of the model with its head."""
        return self._shape.count_parameters(architecture, self.embedding, self.head)

    def flops(self, architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
        """Of the encoder's forward pass."""
        return self._shape.count_flops(architecture, sequence_length, batch_size)

    def head_flops(self, architecture: Architecture, num_positions: int) -> int:
        """Of the head's forward pass at so many positions."""
        return self._shape.count_head_flops(architecture, self.embedding, num_positions, self.head)

    def num_positions(self, num_tokens: int) -> int:
        """Places of an item at which the head is run while a student learns."""
        return self.positions(num_tokens)

    @cached_property
    def _shape(self) -> Shape:  # looked up once: a space may have ten million members to count
        return load_shape(self.family)


def counts_of(teacher: TeacherFacts, positions: Callable[[int], int] = num_targets) -> FamilyCounts:
    """What a teacher's students cost, and the teacher itself as far as it is of their build.

    Args:
        teacher: The teacher.
        positions: As its task has them; only training depends on it.
    """
    return FamilyCounts(teacher.embedding, teacher.task, teacher.architecture.family, positions)
