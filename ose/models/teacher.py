"""Load a trained masked language model, and nothing else, from a directory."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from ose.errors import TeacherError

_OPTIONAL_KEYS = ("position_ids", "pooler", "decoder.bias", "decoder.weight")
"""Parts that a masked language model may lack: derived, unused or tied."""

_MOST_MISSING = 2
"""Weights asked for to those held; of a complete model no more than tied ones that are stored once."""


def load_masked_lm(path: str | Path) -> PreTrainedModel:
    """Load a masked language model in float32, frozen and in evaluation mode.

    Only safetensors are read, and no code from the directory is run.

    Raises:
        TeacherError: The directory holds no complete masked language model.
    """
    try:
        _require_weights(Path(path))
        model, info = AutoModelForMaskedLM.from_pretrained(
            path,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except TeacherError:
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise TeacherError(f"{path} is no masked language model that can be loaded: {reason}") from error
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in _OPTIONAL_KEYS))
    if missing:
        raise TeacherError(f"{path} lacks {len(missing)} of the model's weights, among them {missing[0]}")
    loaded: PreTrainedModel = model.eval().requires_grad_(False)
    return loaded


def _require_weights(folder: Path) -> None:
    """Refuse a configuration that asks for far more weights than the files hold: they would be made up first."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForMaskedLM.from_config(config, trust_remote_code=False)
    asked, held = sum(each.numel() for each in model.parameters()), sum(map(_num_weights, folder.glob("*.safetensors")))
    if asked > _MOST_MISSING * held:
        raise TeacherError(f"{folder}: config.json asks for {asked:,} weights, the files hold {held:,}")


def _num_weights(file: Path) -> int:
    with safe_open(file, "pt") as stored:
        return sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118


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
