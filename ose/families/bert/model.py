"""BERT's build in torch: students of the teacher's class with another architecture, and what they consist of.

A teacher of a class that no family knows has students of BERT's own class.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.activations import ACT2FN
from transformers.initialization import no_init_weights

from ose.core.architecture import Architecture
from ose.core.exports import OF_CROSS_ENCODERS
from ose.families.bert.shape import CLASSES
from ose.families.parts import Block, Embeddings, Head, Parts, require_all_named


def architecture_of(model: PreTrainedModel) -> Architecture:
    """The <D, A, H, I> of a model with BERT's names."""
    config = model.config
    return Architecture(
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
    )


def student_config(teacher: PreTrainedConfig, architecture: Architecture) -> PreTrainedConfig:
    """The configuration of a student, everything but its architecture as the teacher has it."""
    config = copy.deepcopy(teacher) if teacher.model_type in CLASSES else _bert_config(teacher)
    config.num_hidden_layers = architecture.num_hidden_layers
    config.num_attention_heads = architecture.num_attention_heads
    config.hidden_size = architecture.hidden_size
    config.intermediate_size = architecture.intermediate_size
    config.tie_word_embeddings = True
    config.dtype = torch.float32
    return config


def build_student(
    teacher: PreTrainedConfig, architecture: Architecture, head: str, seed: int, device: torch.device | str = "cpu"
) -> PreTrainedModel:
    """A student with random weights. See `ose.families.base.Family`."""
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return _built(teacher, architecture, head, device)


def build_blank_student(
    teacher: PreTrainedConfig, architecture: Architecture, head: str, device: torch.device | str
) -> PreTrainedModel:
    """The same with weights of no meaning, for callers that write them all: it takes milliseconds."""
    with no_init_weights():
        model = _built(teacher, architecture, head, torch.device(device))
    model.tie_weights()
    return model


def parts_of(model: PreTrainedModel, head: str) -> Parts:
    """Take a model of one of the family's own classes apart.

    Raises:
        TeacherError: It has a parameter that no part names.
    """
    base: Any = model.base_model
    parts = Parts(
        embeddings=_embeddings(base.embeddings),
        blocks=tuple(_block(layer) for layer in base.encoder.layer),
        head=HEADS[head].parts(model),
    )
    return require_all_named(model, parts)


def _built(teacher: PreTrainedConfig, architecture: Architecture, head: str, device: torch.device) -> PreTrainedModel:
    with device:
        model: PreTrainedModel = HEADS[head].model_class.from_config(student_config(teacher, architecture))
    model.eval()
    return model


def _embeddings(module: Any) -> Embeddings:
    names = ("word_embeddings", "position_embeddings", "token_type_embeddings")

    def run(
        input_ids: torch.Tensor, token_type_ids: torch.Tensor | None = None, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        states: torch.Tensor = module(input_ids=input_ids, token_type_ids=token_type_ids)
        return states

    return Embeddings(run=run, tables={name: getattr(module, name) for name in names}, norm=module.LayerNorm)


def _block(layer: Any) -> Block:
    attention = layer.attention.self

    def attend(states: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        context: torch.Tensor = attention(states, bias)[0]
        return context

    def run(states: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        output: torch.Tensor = layer(states, bias)
        return output

    return Block(
        run=run,
        query=attention.query,
        key=attention.key,
        value=attention.value,
        attention_output=layer.attention.output.dense,
        attention_norm=layer.attention.output.LayerNorm,
        intermediate=layer.intermediate.dense,
        output=layer.output.dense,
        output_norm=layer.output.LayerNorm,
        attend=attend,
        activate=layer.intermediate,
        num_heads=attention.num_attention_heads,
        scaling=attention.scaling,
    )


def _vocabulary_head(model: Any) -> Head:
    if hasattr(model, "lm_head"):  # RoBERTa's, which has no choice of an activation
        head = model.lm_head
        dense, activation, norm, output = head.dense, ACT2FN["gelu"], head.layer_norm, head.decoder
    else:
        head, transform = model.cls, model.cls.predictions.transform
        dense, activation, norm = transform.dense, transform.transform_act_fn, transform.LayerNorm
        output = head.predictions.decoder
    return Head(dense=dense, activation=activation, norm=norm, output=output)


def _classification_head(model: Any) -> Head:
    if hasattr(model.base_model, "pooler") and model.base_model.pooler is not None:  # BERT's, RoBERTa's has none
        pooler = model.base_model.pooler
        return Head(dense=pooler.dense, activation=pooler.activation, norm=None, output=model.classifier)
    head = model.classifier
    return Head(dense=head.dense, activation=torch.tanh, norm=None, output=head.out_proj)


def _bert_config(teacher: PreTrainedConfig) -> BertConfig:
    return BertConfig(
        vocab_size=teacher.vocab_size,
        max_position_embeddings=teacher.max_position_embeddings,
        type_vocab_size=max(1, getattr(teacher, "type_vocab_size", 1)),
        pad_token_id=teacher.pad_token_id,
        bos_token_id=getattr(teacher, "bos_token_id", None),
        eos_token_id=getattr(teacher, "eos_token_id", None),
        id2label=teacher.id2label,
        label2id=teacher.label2id,
        problem_type=teacher.problem_type,
        **{name: getattr(teacher, name) for name in OF_CROSS_ENCODERS if hasattr(teacher, name)},
    )


class _HeadParts(NamedTuple):
    """How a model with a head is built, and what the head consists of."""

    model_class: Any
    parts: Callable[[PreTrainedModel], Head]


HEADS = {
    "fill_mask": _HeadParts(AutoModelForMaskedLM, _vocabulary_head),
    "text_classification": _HeadParts(AutoModelForSequenceClassification, _classification_head),
}
"""Each task's head."""
