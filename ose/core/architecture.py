"""A point of the search space: a family and its sizes. What it costs by arithmetic alone, its family counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Protocol

from ose.core.bounds import DEPTH, HEADS, INNER_WIDTH, WIDTH, Bounds, require_bounds
from ose.errors import SearchSpaceError

BERT = "bert"
"""The family of what was stored, and is written, without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A student's family and its sizes: the paper's <D, A, H, I>.

    Attributes:
        num_hidden_layers: Depth D.
        num_attention_heads: Heads A; they change neither parameters nor operations.
        hidden_size: Width H of the residual stream and of the embeddings.
        intermediate_size: Width I of the feed-forward layer.
        family: What it is built like; shown where it is not `bert`.

    Raises:
        SearchSpaceError: A number is out of bounds, or A does not divide H.
    """

    __pydantic_config__ = {"extra": "forbid"}

    num_hidden_layers: Annotated[int, DEPTH]
    num_attention_heads: Annotated[int, HEADS]
    hidden_size: Annotated[int, WIDTH]
    intermediate_size: Annotated[int, INNER_WIDTH]
    family: str = BERT

    def __post_init__(self) -> None:
        require_bounds(self, error=SearchSpaceError)
        if self.hidden_size % self.num_attention_heads:
            raise SearchSpaceError(
                f"{self.num_attention_heads} attention heads do not divide a hidden size of {self.hidden_size}"
            )

    @property
    def head_size(self) -> int:
        """Width of one attention head, H / A."""
        return self.hidden_size // self.num_attention_heads

    def __str__(self) -> str:
        sizes = f"L{self.num_hidden_layers}-A{self.num_attention_heads}-H{self.hidden_size}-I{self.intermediate_size}"
        return sizes if self.family == BERT else f"{self.family}-{sizes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingShape:
    """What every student shares with its teacher, whatever its architecture.

    Attributes:
        vocab_size: V.
        max_position_embeddings: P, rows of the position table (RoBERTa's has two that are never used).
        type_vocab_size: Rows of the token-type table.
        num_labels: Outputs of the head; 0 of a vocabulary head, which has one for each token.
    """

    __pydantic_config__ = {"extra": "forbid"}

    vocab_size: Annotated[int, Bounds(1, 100_000_000)]
    max_position_embeddings: Annotated[int, Bounds(1, 10_000_000)]
    type_vocab_size: Annotated[int, Bounds(1, 1_000_000)] = 1
    num_labels: Annotated[int, Bounds(0, 10_000_000)] = 0

    def __post_init__(self) -> None:
        require_bounds(self, error=SearchSpaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCount:
    """Parameters of a model with its head; a vocabulary matrix that is tied counts once."""

    embeddings: int
    encoder: int
    head: int

    @property
    def total(self) -> int:
        """The paper's p: the whole model."""
        return self.embeddings + self.encoder + self.head


class Counts(Protocol):
    """What the members of one family cost with the embeddings and the head of one teacher.

    Parameters and operations rise with D, H and I, and are linear in D and in I.
    """

    @property
    def family(self) -> str:
        """The family's name."""

    def parameters(self, architecture: Architecture) -> ParameterCount:
        """Equals `sum(p.numel() for p in model.parameters())` of the built model."""

    def flops(self, architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
        """Floating-point operations of the encoder's forward pass, two per multiply-add.

        Matrix products only, as torch's `FlopCounterMode` counts them. The head is left out: a deployed encoder may
        have none.

        Args:
            architecture: The student.
            sequence_length: T.
            batch_size: B.
        """

    def head_flops(self, architecture: Architecture, num_positions: int) -> int:
        """Operations of the head's forward pass at `num_positions` positions."""

    def num_positions(self, num_tokens: int) -> int:
        """Places of an item at which the head is run while a student learns."""
