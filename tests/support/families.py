"""Teachers of each family, and the table with the family that only tests know in it."""

from __future__ import annotations

from typing import Any

import pytest
from models import masked_lm
from transformers import PreTrainedModel

from ose.families.registry import FAMILIES

MODEL_TYPES = {"bert": "bert", "roberta": "bert", "distilbert": "distilbert"}
"""Small teachers by Hugging Face's model type, each with its family."""

_NAMES = {
    "bert": ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size"),
    "distilbert": ("n_layers", "n_heads", "dim", "hidden_dim"),
}


def know_distilbert(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in the table: nothing else has to know."""
    monkeypatch.setitem(FAMILIES, "distilbert", "distilbert_family")


def teacher_of(model_type: str, *sizes: int, **changes: Any) -> PreTrainedModel:
    """A shaken teacher of sizes D, A, H, I."""
    return masked_lm(model_type, **dict(zip(_NAMES[MODEL_TYPES[model_type]], sizes, strict=True)), **changes)
