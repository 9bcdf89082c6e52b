"""DistilBERT in torch."""

from __future__ import annotations

import copy

import torch
from torch import nn
from transformers import AutoModelForMaskedLM, PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from ose.core.architecture import Architecture
from ose.families.parts import Block, Embeddings, Head, Parts, captured_input, require_all_named


def architecture_of(model: PreTrainedModel) -> Architecture:
    config = model.config
    return Architecture(
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        hidden_size=config.dim,
        intermediate_size=config.hidden_dim,
        family="distilbert",
    )


def build_student(
    teacher: PreTrainedConfig, architecture: Architecture, head: str, seed: int, device: torch.device | str = "cpu"
) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _built(teacher, architecture, head, device)


def build_blank_student(
    teacher: PreTrainedConfig, architecture: Architecture, head: str, device: torch.device | str
) -> PreTrainedModel:
    with no_init_weights():
        model = _built(teacher, architecture, head, device)
    model.tie_weights()
    return model


def parts_of(model: PreTrainedModel, head: str) -> Parts:
    assert head == "fill_mask"
    base = model.base_model
    tables = {"words": base.embeddings.word_embeddings, "positions": base.embeddings.position_embeddings}

    def embed(input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        return base.embeddings(input_ids)

    parts = Parts(
        embeddings=Embeddings(run=embed, tables=tables, norm=base.embeddings.LayerNorm),
        blocks=tuple(_block(layer) for layer in base.transformer.layer),
        head=_head(model),
    )
    return require_all_named(model, parts)


def _built(
    teacher: PreTrainedConfig, architecture: Architecture, head: str, device: torch.device | str
) -> PreTrainedModel:
    assert head == "fill_mask"
    config = copy.deepcopy(teacher)
    config.n_layers, config.n_heads = architecture.num_hidden_layers, architecture.num_attention_heads
    config.dim, config.hidden_dim = architecture.hidden_size, architecture.intermediate_size
    config.dtype = torch.float32
    with torch.device(device):
        return AutoModelForMaskedLM.from_config(config).eval()


def _block(layer: nn.Module) -> Block:
    attention, feed_forward = layer.attention, layer.ffn

    def attend(states: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        with captured_input(attention.out_lin) as contexts:
            attention(states, attention_mask=bias)
        return contexts[0]

    return Block(
        run=lambda states, bias=None: layer(states, attention_mask=bias),
        query=attention.q_lin,
        key=attention.k_lin,
        value=attention.v_lin,
        attention_output=attention.out_lin,
        attention_norm=layer.sa_layer_norm,
        intermediate=feed_forward.lin1,
        output=feed_forward.lin2,
        output_norm=layer.output_layer_norm,
        attend=attend,
        activate=lambda states: feed_forward.activation(feed_forward.lin1(states)),
        num_heads=attention.n_heads,
        scaling=attention.scaling,
    )


def _head(model: PreTrainedModel) -> Head:
    dense, norm, output = model.vocab_transform, model.vocab_layer_norm, model.vocab_projector
    return Head(
        dense=dense,
        activation=model.activation,
        norm=norm,
        output=output,
    )
