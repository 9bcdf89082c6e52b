"""A point of the search space, and what it costs by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ose.core.bounds import DEPTH, HEADS, INNER_WIDTH, WIDTH, Bounds, require_bounds
from ose.errors import SearchSpaceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """The four numbers of a student: the paper's <D, A, H, I>.

    Attributes:
        num_hidden_layers: Depth D.
        num_attention_heads: Heads A; they change neither parameters nor operations.
        hidden_size: Width H of the residual stream and of the embeddings.
        intermediate_size: Width I of the feed-forward layer.

    Raises:
        SearchSpaceError: A number is out of bounds, or A does not divide H.
    """

    __pydantic_config__ = {"extra": "forbid"}

    num_hidden_layers: Annotated[int, DEPTH]
    num_attention_heads: Annotated[int, HEADS]
    hidden_size: Annotated[int, WIDTH]
    intermediate_size: Annotated[int, INNER_WIDTH]

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
        return f"L{self.num_hidden_layers}-A{self.num_attention_heads}-H{self.hidden_size}-I{self.intermediate_size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingShape:
    """What every student shares with its teacher, whatever its architecture.

    Attributes:
        vocab_size: V.
        max_position_embeddings: P, rows of the position table (RoBERTa's has two that are never used).
        type_vocab_size: Rows of the token-type table.
    """

    __pydantic_config__ = {"extra": "forbid"}

    vocab_size: Annotated[int, Bounds(1, 100_000_000)]
    max_position_embeddings: Annotated[int, Bounds(1, 10_000_000)]
    type_vocab_size: Annotated[int, Bounds(1, 1_000_000)] = 1

    def __post_init__(self) -> None:
        require_bounds(self, error=SearchSpaceError)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterCount:
    """Parameters of a masked language model; the vocabulary matrix, tied, counts once."""

    embeddings: int
    encoder: int
    head: int

    @property
    def total(self) -> int:
        """The paper's p: the whole masked language model."""
        return self.embeddings + self.encoder + self.head


def count_parameters(architecture: Architecture, embedding: EmbeddingShape) -> ParameterCount:
    """Closed-form parameter count of a BERT or RoBERTa masked language model.

    Equals `sum(p.numel() for p in model.parameters())` of the built model.

    Source:
        arXiv 2010.10499 gives p as a polynomial in D, H and I; the paper's count has a pooler,
        which a masked language model has no use for, so ours has none.
    """
    d, h, i = architecture.num_hidden_layers, architecture.hidden_size, architecture.intermediate_size
    rows = embedding.vocab_size + embedding.max_position_embeddings + embedding.type_vocab_size
    attention = 4 * (h * h + h)
    feed_forward = 2 * h * i + h + i
    layer_norm = 2 * h
    return ParameterCount(
        embeddings=rows * h + layer_norm,
        encoder=d * (attention + feed_forward + 2 * layer_norm),
        head=h * h + h + layer_norm + embedding.vocab_size,
    )


def count_flops(architecture: Architecture, sequence_length: int, batch_size: int = 1) -> int:
    """Floating-point operations of the encoder's forward pass, two per multiply-add.

    Matrix products only, as torch's `FlopCounterMode` counts them: per layer and token
    8 H^2 for the four projections, 4 H I for the feed-forward layer, 4 T H for attention.
    The vocabulary head is left out, because a deployed encoder has none.

    Args:
        architecture: The student.
        sequence_length: T.
        batch_size: B.
    """
    h, i = architecture.hidden_size, architecture.intermediate_size
    per_token = 8 * h * h + 4 * h * i + 4 * sequence_length * h
    return batch_size * sequence_length * architecture.num_hidden_layers * per_token


def count_head_flops(architecture: Architecture, embedding: EmbeddingShape, num_positions: int) -> int:
    """Operations of the vocabulary head's forward pass at `num_positions` positions: 2 H^2 + 2 H V each."""
    h = architecture.hidden_size
    return num_positions * (2 * h * h + 2 * h * embedding.vocab_size)
