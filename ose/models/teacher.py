"""Load a trained masked language model, and nothing else, from a directory."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ose.errors import TeacherError

_OPTIONAL_KEYS = ("position_ids", "pooler", "decoder.bias", "decoder.weight")
"""Parts that a masked language model may lack: derived, unused or tied."""


def load_masked_lm(path: str | Path) -> PreTrainedModel:
    """Load a masked language model in float32, frozen and in evaluation mode.

    Only safetensors are read, and no code from the directory is run.

    Raises:
        TeacherError: The directory holds no complete masked language model.
    """
    try:
        model, info = AutoModelForMaskedLM.from_pretrained(
            path,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TeacherError(f"{path} is no masked language model that can be loaded: {reason}") from error
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in _OPTIONAL_KEYS))
    if missing:
        raise TeacherError(f"{path} lacks {len(missing)} of the model's weights, among them {missing[0]}")
    loaded: PreTrainedModel = model.eval().requires_grad_(False)
    return loaded


def load_tokenizer(path: str | Path) -> PreTrainedTokenizerBase:
    """Load the tokenizer that lies beside a model.

    Raises:
        TeacherError: There is none, or it lacks a token that masked language modelling needs.
    """
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TeacherError(f"{path} has no tokenizer that can be loaded: {reason}") from error
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # made up by transformers when no vocabulary is there
        raise TeacherError(f"{path} has no tokenizer: it knows no tokens but the special ones")
    for name in ("mask_token", "cls_token", "sep_token"):
        if getattr(tokenizer, name) is None:
            raise TeacherError(f"the tokenizer in {path} has no {name}")
    return tokenizer
