"""A student's attention heads made of its teacher's, of the same size or of another.

How one head's scores are approximated by a narrower head is a question of the bilinear form q'k alone: its best
approximation of rank r on the sample, by a singular value decomposition in coordinates in which queries and
keys are white. The softmax is blind to whatever adds the same to all keys, so keys are taken around their mean.
A wider head joins teacher's heads that look at the same tokens, and takes the mean of their scores
(`ose.extraction.head_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
from torch import nn

from ose.core.architecture import Architecture
from ose.extraction.head_parts import HeadPart, composed_heads
from ose.families.parts import Block
from ose.training.positions import at_tokens

_SIMILARITY_SEQUENCES = 32
_FLOOR = 1e-6
"""Directions with less than this share of the strongest one's variance are not worth dividing by."""


@dataclass(frozen=True, slots=True)
class HeadMaps:
    """How one layer's projections become a student's; all (H of the teacher, H of the student).

    The student's query is the teacher's times `query`, and so on; its context times the transpose of `output`
    stands for the teacher's context.
    """

    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    output: torch.Tensor

    def to(self, device: torch.device) -> HeadMaps:
        """The same on `device`."""
        return HeadMaps(*(getattr(self, each.name).to(device) for each in fields(self)))


def head_statistics(
    block: Block,
    inputs: torch.Tensor,
    context: torch.Tensor,
    mask: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """What has to be known of a block's A heads of size d to make others of them.

    Args:
        block: The block.
        inputs: (N, T, H), its input.
        context: (N, T, H), its heads' outputs.
        mask: (N, T), 0 at padding, which does not count; None if there is none.
        bias: The same as `attention_bias` has it.

    Returns:
        `heads.queries`, `heads.keys`, `heads.contexts` (A, d, d): second moments of the queries, covariances
        of the keys and of the outputs; `heads.similarity` (A, A): cosines between attention maps.
    """
    queries, keys, outputs = (
        each.unflatten(-1, (block.num_heads, -1))  # (N, T, A, d)
        for each in (block.query(inputs), block.key(inputs), context)
    )
    maps = _attention_maps(queries, keys, block.scaling, mask, bias)
    return {
        "heads.queries": _moments(at_tokens(queries, mask), is_centred=False),
        "heads.keys": _moments(at_tokens(keys, mask), is_centred=True),
        "heads.contexts": _moments(at_tokens(outputs, mask), is_centred=True),
        "heads.similarity": maps @ maps.T,
    }


def _attention_maps(
    queries: torch.Tensor, keys: torch.Tensor, scaling: float, mask: torch.Tensor | None, bias: torch.Tensor | None
) -> torch.Tensor:
    """(A, ...) of length 1 each: where the heads look in a few of the sequences."""
    few = slice(_SIMILARITY_SEQUENCES)
    queries, keys = (each[few].transpose(1, 2) for each in (queries, keys))  # (N, A, T, d)
    scores = queries @ keys.transpose(-1, -2) * scaling
    maps = (scores if bias is None else scores + bias[few]).softmax(dim=-1)
    if mask is not None:
        maps = maps * mask[few, None, :, None]
    return nn.functional.normalize(maps.transpose(0, 1).flatten(1), dim=1)


def leading_maps(teacher: Architecture, student: Architecture) -> HeadMaps:
    """Heads and rows as they lie, without any measurement.

    Where the student's heads are at most as wide and as many, head a keeps the leading rows of the
    teacher's head a. Otherwise the leading H rows are taken: wider heads join neighbours, more heads split them.
    """
    if student.head_size <= teacher.head_size and student.num_attention_heads <= teacher.num_attention_heads:
        starts = torch.arange(student.num_attention_heads) * teacher.head_size
        return _rows((starts[:, None] + torch.arange(student.head_size)).flatten(), teacher.hidden_size)
    return _rows(torch.arange(student.hidden_size), teacher.hidden_size)


def chosen_maps(
    teacher: Architecture,
    student: Architecture,
    scores: torch.Tensor,
    statistics: Mapping[str, torch.Tensor],
    projection: torch.Tensor,
) -> HeadMaps:
    """The most important heads, in their order; narrowed, split or joined if the student's have another size.

    A head made of several has the mean of their scores, each counted by its dimensions.

    Args:
        teacher: Its shape.
        student: The shape wanted.
        scores: (A), the importance of the teacher's heads.
        statistics: This layer's, from `head_statistics`.
        projection: (H of the student, H of the teacher): the layer's output projection into the student's stream.
    """
    size, width = teacher.head_size, student.head_size
    heads = composed_heads(teacher, student, scores, statistics["heads.similarity"])
    maps = [torch.zeros(teacher.hidden_size, student.hidden_size) for _ in fields(HeadMaps)]
    column = 0
    for part in (part for parts in heads for part in parts):
        rows, columns = slice(part.head * size, (part.head + 1) * size), slice(column, column + part.width)
        query, key, value, output = _part_maps(part, size, statistics, projection[:, rows])
        scale = (part.width / width) ** 0.5 * (width / size) ** 0.25  # scores are divided by the root of the width
        for whole, block in zip(maps, (query * scale, key * scale, value, output), strict=True):
            whole[rows, columns] = block
        column += part.width
    return HeadMaps(*maps)


def _part_maps(
    part: HeadPart, size: int, statistics: Mapping[str, torch.Tensor], projection: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """(d of the teacher, width) each: the head as it is, or its dimensions that matter most on the sample."""
    if part.width == size:
        whole = torch.eye(size)
        return whole, whole, whole, whole
    queries, keys, contexts = (statistics[f"heads.{name}"][part.head] for name in ("queries", "keys", "contexts"))
    directions = (part.first + torch.arange(part.width)) % size
    return *_narrowed_scores(queries, keys, part.width), *_narrowed_values(contexts, projection, directions)


def _rows(rows: torch.Tensor, hidden_size: int) -> HeadMaps:
    pick = torch.eye(hidden_size)[:, rows]
    return HeadMaps(pick, pick, pick, pick)


def _narrowed_scores(queries: torch.Tensor, keys: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    root_q, inverse_q = _roots(queries)
    root_k, inverse_k = _roots(keys)
    left, strengths, right = torch.linalg.svd(root_q @ root_k)
    share = strengths[:width].sqrt()
    return inverse_q @ left[:, :width] * share, inverse_k @ right[:width].T * share


def _narrowed_values(
    contexts: torch.Tensor, projection: torch.Tensor, directions: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    root, inverse = _roots(contexts)
    left = torch.linalg.svd(root @ projection.T, full_matrices=False).U[:, directions]
    return inverse @ left, root @ left


def _roots(moments: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The symmetric square root of a matrix of moments, and its inverse."""
    values, vectors = torch.linalg.eigh(moments.double())
    roots = values.clamp(min=float(values.max()) * _FLOOR + torch.finfo(torch.float32).tiny).sqrt()
    return (vectors * roots @ vectors.T).float(), (vectors / roots @ vectors.T).float()


def _moments(values: torch.Tensor, *, is_centred: bool) -> torch.Tensor:
    """(A, d, d) of (S, A, d)."""
    flat = values.transpose(0, 1)
    if is_centred:
        flat = flat - flat.mean(dim=1, keepdim=True)
    return flat.transpose(1, 2) @ flat / flat.shape[1]
