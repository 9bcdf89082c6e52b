"""Start a RoBERTa whose first layers look at the neighbours of each token.

From the usual random weights a masked language model spends its first millions of tokens at token
frequencies, until its heads have found out that nearby positions matter. On two cores that is most of the
budget, so we give it away: some channels of the embeddings are kept for sinusoidal positions, and the
first layers' heads are rotated to attend at fixed offsets (-1, +1, -2, +2, ...). Everything stays trainable.

Source:
    The idea of starting attention as a local pattern is ConViT's (arXiv 2103.10697) and mimetic
    initialisation's (arXiv 2305.09828); sinusoids make every offset a rotation (arXiv 1706.03762, 3.5).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import RobertaForMaskedLM

SHARPNESS = 14.0
"""Attention logit, in nats, by which a head prefers its offset over far positions at the start."""

_NUM_LOCAL_LAYERS = 2


def attend_locally(model: RobertaForMaskedLM) -> None:
    """Give a freshly built model positional channels and local heads, in place.

    Args:
        model: Its head size is even, and at most half of its hidden size.
    """
    config = model.config
    size = config.hidden_size // config.num_attention_heads
    embeddings = model.roberta.embeddings
    scale = config.initializer_range * math.sqrt(2)
    with torch.no_grad():
        embeddings.word_embeddings.weight[:, :size] = 0
        embeddings.position_embeddings.weight.zero_()
        table = _sinusoids(config.max_position_embeddings, size)
        embeddings.position_embeddings.weight[:, :size] = scale * table * math.sqrt(config.hidden_size / size / 2)
        layers: Any = model.roberta.encoder.layer[:_NUM_LOCAL_LAYERS]
        for layer in layers:
            attention = layer.attention.self
            for head in range(config.num_attention_heads):
                rows = slice(head * size, (head + 1) * size)
                offset = (head // 2 + 1) * (-1 if head % 2 == 0 else 1)
                attention.query.weight[rows] = 0
                attention.key.weight[rows] = 0
                attention.query.weight[rows, :size] = _rotation(offset, size)
                attention.key.weight[rows, :size] = torch.eye(size)
                attention.query.weight[rows] *= _gain(model, size)


def _frequencies(size: int) -> torch.Tensor:
    """Radians a position, from 2.2 down to 0.05: fast ones tell neighbours apart, slow ones regions."""
    return torch.logspace(0.35, -1.3, size // 2)


def _sinusoids(num_positions: int, size: int) -> torch.Tensor:
    angles = torch.arange(num_positions)[:, None] * _frequencies(size)
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def _rotation(offset: int, size: int) -> torch.Tensor:
    """The matrix that maps the sinusoids of position i to those of position i + offset."""
    angles = offset * _frequencies(size)
    cos, sin = torch.diag(angles.cos()), torch.diag(angles.sin())
    return torch.cat([torch.cat([cos, sin], dim=1), torch.cat([-sin, cos], dim=1)])


def _gain(model: RobertaForMaskedLM, size: int) -> float:
    """Scale that makes a head's logit at its own offset `SHARPNESS` above that of a far position."""
    embeddings = model.roberta.embeddings
    norms = (
        embeddings.LayerNorm(
            embeddings.word_embeddings.weight[5:517]
            + embeddings.position_embeddings.weight[2:3]
            + embeddings.token_type_embeddings.weight[:1]
        )[:, :size]
        .square()
        .sum(dim=1)
    )
    return SHARPNESS * math.sqrt(size) / float(norms.mean())
