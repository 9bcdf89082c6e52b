"""Settings of a config.json that make another model than was trained, or none: seen before anything is loaded."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from ose.errors import TeacherError
from ose.families.base import ConfigNames
from ose.families.registry import known_family

Settings = dict[str, Any]

ACTIVATIONS = frozenset(
    {
        "gelu", "gelu_10", "gelu_fast", "gelu_new", "gelu_python", "gelu_pytorch_tanh", "gelu_python_tanh",
        "gelu_accurate", "hardswish", "laplace", "leaky_relu", "linear", "mish", "quick_gelu", "relu", "relu2", "relu6",
        "sigmoid", "silu", "sqrtsoftplus", "swish", "tanh", "prelu", "xielu",
    }
)  # fmt: skip
"""Those of transformers, which would have to be loaded to be asked."""

_ACTIVATION_KEYS = ("hidden_act", "hidden_activation", "activation", "activation_function", "classifier_activation")
_OF_TEXT = {"transformers_version", "id2label", "label2id", "language", "revision", "_commit_hash", "_name_or_path"}
"""Keys under which text may look like a number."""

_POSITIONS = "position_embedding_type"
_ROBERTAS_PADDING = 1


def require_sound_settings(content: Settings, path: Path) -> None:
    """Refuse settings that no class of transformers computes with, or not as they were meant.

    Args:
        content: config.json's.
        path: Its place, for messages.

    Raises:
        TeacherError: One is such; the message names the key and what to write there.
    """
    if content.get("add_cross_attention"):
        raise TeacherError(f"{path}: add_cross_attention makes half of an encoder-decoder of it; set it to false")
    for key in _ACTIVATION_KEYS:
        if content.get(key) is not None and str(content[key]) not in ACTIVATIONS:
            raise TeacherError(
                f"{path}: {key} is {str(content[key])[:60]!r}, which is no activation of transformers; write the one "
                "that it was trained with, mostly gelu"
            )
    if known_family(str(content.get("model_type", ""))) and content.get(_POSITIONS, "absolute") != "absolute":
        raise TeacherError(
            f"{path}: {_POSITIONS} is {str(content[_POSITIONS])[:60]!r}; transformers has dropped all but absolute "
            "positions from this class and would compute another model"
        )
    for key, value in content.items():
        _require_number(key, value, path)


def _require_number(key: str, value: Any, path: Path) -> None:
    """Refuse a number in quotes, a probability that is none, and an epsilon that is not positive."""
    if isinstance(value, str) and key not in _OF_TEXT and _is_number(value):
        raise TeacherError(f"{path}: {key} is the text {value[:60]!r}; write the number without quotes")
    is_probability = key.endswith(("_dropout", "_dropout_prob", "_probs_dropout_prob")) or key == "dropout"
    if is_probability and not (value is None and "classifier" in key) and not _is_between(value, 0, 1):
        raise TeacherError(f"{path}: {key} must be a number from 0 to 1, not {str(value)[:60]!r}")
    if key.endswith("norm_eps") and not (_is_between(value, 0, 1) and value):
        raise TeacherError(f"{path}: {key} must be a small positive number, not {str(value)[:60]!r}")


def require_padding(content: Settings, vocab_size: int, names: ConfigNames, path: Path) -> None:
    """Refuse a padding id that is no row of the vocabulary, or none where positions are counted from it.

    Raises:
        TeacherError: It is such.
    """
    if "pad_token_id" not in content:
        return
    value = content["pad_token_id"]
    if value is None and counts_from_padding(content, names):
        raise TeacherError(
            f"{path}: pad_token_id is null, and this class counts positions from it; write the id of the padding "
            "token, which its tokenizer has"
        )
    if value is not None and not (type(value) is int and 0 <= value < vocab_size):
        raise TeacherError(f"{path}: pad_token_id must be a token id below {vocab_size:,}, not {str(value)[:60]!r}")


def counts_from_padding(content: Settings, names: ConfigNames) -> bool:
    """Whether positions are counted from the padding id's successor."""
    return content.get("model_type", "") in names.OFFSET_MODEL_TYPES


def padding_id(content: Settings) -> int:
    """The padding id of a class that counts from it."""
    value = content.get("pad_token_id", _ROBERTAS_PADDING)
    return value if type(value) is int and value >= 0 else _ROBERTAS_PADDING


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_between(value: Any, least: float, most: float) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and least <= value <= most
