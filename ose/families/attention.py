"""Listen to one layer's queries, keys and values while a model runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from ose.errors import TeacherError
from ose.families.models import parts_of
from ose.families.registry import known_family


@contextmanager
def kept_attention(model: PreTrainedModel, head: str, layer: int | None) -> Iterator[list[torch.Tensor]]:
    """Collects (B, T, H) each of one layer's queries, keys and values, by hooks: the model's code stays as it is.

    Args:
        model: Run within the block.
        head: The task's that it has.
        layer: Counted from 0; -1 is the last, and None listens to none.

    Raises:
        TeacherError: No family knows the model, and its attention has not BERT's names either.
    """
    kept: list[torch.Tensor] = []
    hooks = [
        matrix.register_forward_hook(lambda _module, _args, output: kept.append(output))
        for matrix in ([] if layer is None else _attention_matrices(model, head, layer))
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _attention_matrices(model: PreTrainedModel, head: str, layer: int) -> list[nn.Module]:
    if known_family(model.config.model_type) is None:
        return _by_berts_names(model, layer)
    block = parts_of(model, head).blocks[layer]
    return [block.query, block.key, block.value]


def _by_berts_names(model: PreTrainedModel, layer: int) -> list[nn.Module]:
    """Of teachers that no family knows: many are built as BERT is."""
    try:
        encoder: Any = model.base_model.encoder
        attention = encoder.layer[layer].attention.self
        return [attention.query, attention.key, attention.value]
    except (AttributeError, TypeError) as error:
        raise TeacherError(
            f"relations need queries, keys and values, which OSE does not find in a {model.config.model_type} model; "
            "set distillation.weights.relations to 0"
        ) from error
