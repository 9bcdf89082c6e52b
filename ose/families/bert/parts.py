"""A masked language model of BERT's build, taken apart: the same names whatever the class calls its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.activations import ACT2FN


@dataclass(frozen=True, slots=True)
class LayerStates:
    """What one layer computes on the way from its input to its output, all (B, T, ...).

    Attributes:
        context: The heads' outputs side by side, before their projection.
        attention_sum: That projection plus the layer's input.
        attention: The same after LayerNorm.
        activation: The feed-forward neurons.
        output_sum: Their projection plus `attention`.
        output: The same after LayerNorm.
    """

    context: torch.Tensor
    attention_sum: torch.Tensor
    attention: torch.Tensor
    activation: torch.Tensor
    output_sum: torch.Tensor
    output: torch.Tensor


@dataclass(frozen=True, slots=True)
class Parts:
    """The modules of a model, and how to run them one by one.

    Attributes:
        embeddings: Token ids (B, T) to the residual stream (B, T, H).
        embedding_norm: The LayerNorm at their end.
        layers: The encoder's layers.
        head: The residual stream to logits.
        head_dense: The head's first matrix.
        head_norm: The LayerNorm before its vocabulary matrix.
        activation: The function between the two.
        vocabulary_bias: (V,), the head's last summand.
    """

    embeddings: nn.Module
    embedding_norm: nn.LayerNorm
    layers: nn.ModuleList
    head: nn.Module
    head_dense: nn.Linear
    head_norm: nn.LayerNorm
    activation: Callable[[torch.Tensor], torch.Tensor]
    vocabulary_bias: nn.Parameter


def parts_of(model: PreTrainedModel) -> Parts:
    """Take apart a model of a class in `INHERITABLE_MODEL_TYPES`."""
    base = model.base_model
    if hasattr(model, "lm_head"):
        head, dense, norm = model.lm_head, model.lm_head.dense, model.lm_head.layer_norm
        activation: Callable[[torch.Tensor], torch.Tensor] = ACT2FN["gelu"]  # RoBERTa's head has no choice
        bias = model.lm_head.bias
    else:
        head, transform = model.cls, model.cls.predictions.transform
        dense, norm, activation = transform.dense, transform.LayerNorm, transform.transform_act_fn
        bias = model.cls.predictions.bias
    return Parts(
        embeddings=base.embeddings,
        embedding_norm=base.embeddings.LayerNorm,
        layers=base.encoder.layer,
        head=head,
        head_dense=dense,
        head_norm=norm,
        activation=activation,
        vocabulary_bias=bias,
    )


def run_layer(layer: nn.Module, states: torch.Tensor) -> LayerStates:
    """One layer on full sequences (B, T, H), step by step."""
    context = layer.attention.self(states)[0]
    attention_sum = layer.attention.output.dense(context) + states
    attention = layer.attention.output.LayerNorm(attention_sum)
    activation = layer.intermediate(attention)
    output_sum = layer.output.dense(activation) + attention
    return LayerStates(
        context=context,
        attention_sum=attention_sum,
        attention=attention,
        activation=activation,
        output_sum=output_sum,
        output=layer.output.LayerNorm(output_sum),
    )


@contextmanager
def captured_input(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collects what `module` is called with."""
    seen: list[torch.Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    try:
        yield seen
    finally:
        handle.remove()
