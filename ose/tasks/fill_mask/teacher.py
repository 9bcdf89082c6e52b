"""Load a trained masked language model and its tokenizer."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoModelForMaskedLM, PreTrainedModel, PreTrainedTokenizerBase

from ose.tasks import loading
from ose.tasks.fill_mask.rules import RULES


def load_masked_lm(path: str | Path, digest: str | None = None) -> PreTrainedModel:
    """Load a masked language model. See `ose.tasks.loading.load_model`.

    Raises:
        TeacherError: The directory holds no complete masked language model, or another one than it did.
    """
    return loading.load_model(AutoModelForMaskedLM, path, digest, RULES)


def load_tokenizer(path: str | Path, digest: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer that lies beside a masked language model. See `ose.tasks.loading.load_tokenizer`.

    Raises:
        TeacherError: There is none, or it lacks a token that masked language modelling needs, or it has changed.
    """
    return loading.load_tokenizer(path, digest, needed=("mask_token", "cls_token", "sep_token"))
