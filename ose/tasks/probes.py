"""Texts by which an export is held against its student: such as people have, and the edges of what models take."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

TEXTS = (
    "The second season is far better than the first one.",
    "",
    "Ça coûte 5 € - n'est-ce pas? 日本語 \U0001f642",
    "Never again! " * 400,
)
"""Plain, empty, of rare characters, and longer than most models take."""

_MOST_TOKENS = 512
"""Attention over the longest texts of some models would take minutes."""

Inputs = dict[str, torch.Tensor]


def encoded(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Inputs:
    """What a model is called with for texts of one batch, cut and padded as the tokenizer itself does it."""
    most = min(tokenizer.model_max_length, _MOST_TOKENS)
    return dict(
        tokenizer(
            list(texts),
            None if pairs is None else list(pairs),
            padding=len(texts) > 1,
            truncation=True,
            max_length=most,
            return_tensors="pt",
        )
    )


def first_token(inputs: Inputs) -> Inputs:
    """The first text's first token alone."""
    return {name: each[:1, :1] for name, each in inputs.items()}
