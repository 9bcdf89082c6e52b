"""Small masked language models whose weights hide nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    RobertaConfig,
    RobertaForMaskedLM,
)

Model = TypeVar("Model", bound=nn.Module)

SHAPE = {
    "vocab_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_size": 16,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}


def masked_lm(name: str, **changes: Any) -> PreTrainedModel:
    """A shaken `roberta`, `bert` or `distilbert`; the last has names of its own and no single head."""
    torch.manual_seed(0)
    if name == "distilbert":
        shape = {"n_layers": 2, "n_heads": 2, "dim": 16, "hidden_dim": 24}
        config = DistilBertConfig(**{"vocab_size": 40, "max_position_embeddings": 20, **shape, **changes})
        return shake(DistilBertForMaskedLM(config))
    if name == "bert":
        return shake(BertForMaskedLM(BertConfig(**{**SHAPE, **changes})))
    return shake(RobertaForMaskedLM(RobertaConfig(**{**SHAPE, **changes})))


def shake(model: Model, by: float = 0.1) -> Model:
    """Move every weight: a fresh model's biases are all 0 and its norms 1, which would hide one left out."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(by * torch.randn(parameter.shape, generator=generator))
    return model.eval()


def save_tiny_roberta(folder: Path, documents: list[str], shape: dict[str, int]) -> None:
    """A RoBERTa with 66 positions (sequences of 64) and 800 tokens learnt from `documents`."""
    from ose.data.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(documents, vocab_size=800, sequence_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **shape
    )
    model = RobertaForMaskedLM(config)
    know_frequencies(model.lm_head.bias, tokenizer, documents)
    model.save_pretrained(folder)


def know_frequencies(bias: torch.Tensor, tokenizer: PreTrainedTokenizerBase, documents: list[str]) -> None:
    """Let a vocabulary head know how often each token occurs, and no more: what knows less is refused as a teacher."""
    counts = torch.zeros(len(bias))
    for ids in tokenizer(documents, add_special_tokens=False, verbose=False)["input_ids"]:
        counts += torch.bincount(torch.tensor(ids, dtype=torch.long), minlength=len(bias))
    with torch.no_grad():
        bias.copy_(((counts + 0.1) / (counts + 0.1).sum()).log())
