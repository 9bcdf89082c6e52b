"""Build a student: a model of the teacher's class with another architecture."""

from __future__ import annotations

import copy

import torch
from torch import nn
from transformers import AutoModelForMaskedLM, BertConfig, PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from ose.core.architecture import Architecture

INHERITABLE_MODEL_TYPES = ("bert", "camembert", "roberta", "xlm-roberta")
"""Hugging Face families whose layers have BERT's names and shapes: students are of the same class
and can take its weights. Any other masked language model teaches students of BERT's class."""

_NOISE_BLOCK = 65_521


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
    config = copy.deepcopy(teacher) if teacher.model_type in INHERITABLE_MODEL_TYPES else _bert_config(teacher)
    config.num_hidden_layers = architecture.num_hidden_layers
    config.num_attention_heads = architecture.num_attention_heads
    config.hidden_size = architecture.hidden_size
    config.intermediate_size = architecture.intermediate_size
    config.tie_word_embeddings = True
    config.dtype = torch.float32
    return config


def build_student(
    teacher: PreTrainedConfig, architecture: Architecture, seed: int, device: torch.device | str = "cpu"
) -> PreTrainedModel:
    """A student with random weights, in evaluation mode, so that short trainings spend nothing on dropout.

    Args:
        teacher: The teacher's configuration.
        architecture: What to build.
        seed: Decides the weights; the caller's random state is left as it was.
        device: Where the weights are drawn and lie; another kind of device draws others. One core takes seconds for a
            hundred million of them, a GPU milliseconds.
    """
    device = torch.device(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        return _built(teacher, architecture, device)


def build_blank_student(
    teacher: PreTrainedConfig, architecture: Architecture, device: torch.device | str
) -> PreTrainedModel:
    """The same with weights of no meaning, for those who write them all: it takes milliseconds."""
    with no_init_weights():
        model = _built(teacher, architecture, torch.device(device))
    model.tie_weights()
    return model


def fill_with_noise(module: nn.Module) -> None:
    """Give every weight a small value, for models that are only timed: what is blank may hold numbers that slow a CPU.

    One block of normal values is repeated, which takes a tenth of the time of drawing them all. Its length is prime,
    so that no two rows of a matrix are alike.
    """
    block = 0.02 * torch.randn(_NOISE_BLOCK, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in module.parameters():
            values = block.to(parameter)
            for part in parameter.view(-1).split(_NOISE_BLOCK):
                part.copy_(values[: len(part)])


def _built(teacher: PreTrainedConfig, architecture: Architecture, device: torch.device) -> PreTrainedModel:
    with device:
        model: PreTrainedModel = AutoModelForMaskedLM.from_config(student_config(teacher, architecture))
    return model.eval()


def _bert_config(teacher: PreTrainedConfig) -> BertConfig:
    return BertConfig(
        vocab_size=teacher.vocab_size,
        max_position_embeddings=teacher.max_position_embeddings,
        type_vocab_size=max(1, getattr(teacher, "type_vocab_size", 1)),
        pad_token_id=teacher.pad_token_id,
        bos_token_id=getattr(teacher, "bos_token_id", None),
        eos_token_id=getattr(teacher, "eos_token_id", None),
    )
