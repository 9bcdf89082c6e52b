"""Which of a teacher's attention heads a student's heads are made of, where their number or size differs."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ose.core.architecture import Architecture


@dataclass(frozen=True, slots=True)
class HeadPart:
    """Dimensions of one teacher's head that stand in a student's head.

    Attributes:
        head: The teacher's head.
        width: How many of its dimensions.
        first: The first of its value's directions, the strongest being 0. Scores take the strongest ones always.
    """

    head: int
    width: int
    first: int = 0


Heads = tuple[tuple[HeadPart, ...], ...]
"""The parts of each of a student's heads."""


def composed_heads(
    teacher: Architecture, student: Architecture, scores: torch.Tensor, similarity: torch.Tensor
) -> Heads:
    """Choose by importance, and join what looks at the same tokens.

    Heads no wider than the teacher's are one of its heads each. Are they more than its heads, then several share
    the scores of one and divide its values among them. A wider head joins as many whole ones as it can hold and
    fills up with the strongest dimensions of one more.

    Args:
        teacher: Its shape.
        student: The shape wanted, no wider than the teacher.
        scores: (A), the importance of the teacher's heads.
        similarity: (A, A), cosines between their attention maps.
    """
    size, width, count = teacher.head_size, student.head_size, student.num_attention_heads
    if width > size:
        return _joined(count, size, width, scores, similarity)
    if count > teacher.num_attention_heads:
        return _split(count, size, width, scores)
    return tuple((HeadPart(head, width),) for head in strongest(scores, count).tolist())


def strongest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """The indices of the `count` highest scores, ascending."""
    return scores.topk(count).indices.sort().values


def _split(count: int, size: int, width: int, scores: torch.Tensor) -> Heads:
    copies, more = divmod(count, len(scores))
    twice = set(strongest(scores, more).tolist())
    return tuple(
        (HeadPart(head, width, first=copy * width % size),)
        for head in range(len(scores))
        for copy in range(copies + (head in twice))
    )


def _joined(count: int, size: int, width: int, scores: torch.Tensor, similarity: torch.Tensor) -> Heads:
    whole, rest = divmod(width, size)
    groups = _alike(scores, similarity, count, whole)
    parts = [tuple(HeadPart(head, size) for head in group) for group in groups]
    if not rest:
        return tuple(parts)
    spare = set(range(len(scores))) - {head for group in groups for head in group}
    for index, group in enumerate(groups):
        others = spare or set(range(len(scores))) - set(group)
        partner = _most_alike(similarity[group[0]], others)
        spare.discard(partner)
        parts[index] += (HeadPart(partner, rest),)
    return tuple(parts)


def _alike(scores: torch.Tensor, similarity: torch.Tensor, groups: int, size: int) -> list[list[int]]:
    """The strongest heads, each followed by those that look where it looks."""
    left = scores.topk(groups * size).indices.tolist()
    joined = []
    while left:
        group = [left.pop(0)]
        for _ in range(size - 1):
            group.append(_most_alike(similarity[group[0]], left))
            left.remove(group[-1])
        joined.append(group)
    return joined


def _most_alike(similarity: torch.Tensor, heads: set[int] | list[int]) -> int:
    return max(sorted(heads), key=lambda head: float(similarity[head]))
