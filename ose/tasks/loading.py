"""Load a trained model of one kind, its configuration or its tokenizer from a directory, and nothing else."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import safe_open
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from ose.errors import TeacherError
from ose.tasks.few_tensors import few_tensors
from ose.tasks.onnx_folder import is_onnx
from ose.tasks.onnx_model import OnnxModel
from ose.tasks.sealed_teacher import sealed_teacher

_MOST_MISSING = 2
"""Weights asked for to those held; of a complete model no more than tied ones that are stored once."""


def load_model(
    model_class: Any,
    path: str | Path,
    digest: str | None,
    *,
    kind: str,
    optional: Sequence[str] = (),
) -> PreTrainedModel:
    """Load a model in float32, frozen and in evaluation mode.

    Only safetensors are read, and no code from the directory is run.

    Args:
        model_class: One of transformers' `AutoModelFor...`, which have no type that they share.
        path: The directory.
        digest: What the teacher must still be; None takes it as it is.
        kind: What messages call such a model.
        optional: Parts of weights' names that may be missing: derived, unused or tied.

    Raises:
        TeacherError: The directory holds no complete model of this kind, or another one than it did.
    """
    if digest is None and is_onnx(Path(path)):
        return cast("PreTrainedModel", OnnxModel(Path(path), load_config(path)))  # called as one, for its logits alone
    with _loading(path, digest, f"is no {kind} that can be loaded") as folder:
        _require_weights(model_class, folder)
        model, info = model_class.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    missing = sorted(key for key in info["missing_keys"] if not any(part in key for part in optional))
    if missing:
        raise TeacherError(f"{path} lacks {len(missing)} of the model's weights, among them {missing[0]}")
    model.config.name_or_path = model.name_or_path = str(path)
    loaded: PreTrainedModel = model.eval().requires_grad_(False)
    return loaded


def load_with_new_head(
    model_class: Any, path: str | Path, changes: Mapping[str, Any], seed: int, *, kind: str
) -> PreTrainedModel:
    """Load an encoder in float32 under a head that is drawn anew, to be trained.

    What does not belong to the encoder is drawn from the seed, also where the directory has something of that name.

    Args:
        model_class: Of the model that is wanted, as for `load_model`.
        path: The directory of the encoder, alone or under any head.
        changes: What the configuration says of the new head.
        seed: Of the draw.
        kind: What messages call such a model.

    Raises:
        TeacherError: The directory holds no complete encoder that such a model has.
    """
    with _loading(path, None, f"has no encoder that a {kind} can be made of") as folder:
        _require_weights(model_class, folder)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False, **changes)
        torch.manual_seed(seed)
        fresh = model_class.from_config(config, dtype=torch.float32, trust_remote_code=False)
        model, info = model_class.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    encoder = f"{model.base_model_prefix}."
    missing = {*info["missing_keys"], *(each[0] for each in info["mismatched_keys"])}
    lacking = sorted(key for key in missing if key.startswith(encoder) and not any(each in key for each in _DRAWN))
    if lacking:
        raise TeacherError(f"{path} lacks {len(lacking)} of the encoder's weights, among them {lacking[0]}")
    drawn = {key: each for key, each in fresh.state_dict().items() if key in missing or not key.startswith(encoder)}
    model.load_state_dict(drawn, strict=False)
    loaded: PreTrainedModel = model
    return loaded


_DRAWN = ("pooler.", "position_ids")
"""Parts of an encoder that one without a head of its own may lack."""


def load_config(path: str | Path) -> PreTrainedConfig:
    """Load a model's configuration alone.

    Raises:
        TeacherError: There is none that can be loaded.
    """
    with _loading(path, None, "has no configuration that can be loaded") as folder:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return config


def load_tokenizer(
    path: str | Path, digest: str | None = None, *, needed: Sequence[str] = ("cls_token", "sep_token")
) -> PreTrainedTokenizerBase:
    """Load the tokenizer that lies beside a model.

    Args:
        path: The directory.
        digest: What the teacher must still be; None takes it as it is.
        needed: Special tokens that it must have.

    Raises:
        TeacherError: There is none, or it lacks a token that is needed, or it has changed.
    """
    with ExitStack() as held:
        folder = held.enter_context(_loading(path, digest, "has no tokenizer that can be loaded"))
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        # Some tokenizers are saved by copying the files that they were loaded from.
        weakref.finalize(tokenizer, held.pop_all().close)
    if len(tokenizer) <= len(tokenizer.all_special_ids):  # made up by transformers when no vocabulary is there
        raise TeacherError(f"{path} has no tokenizer: it knows no tokens but the special ones")
    for name in needed:
        if getattr(tokenizer, name) is None:
            raise TeacherError(f"the tokenizer in {path} has no {name}")
    tokenizer.name_or_path = str(path)
    return tokenizer


def _require_weights(model_class: Any, folder: Path) -> None:
    """Refuse a configuration that asks for far more weights than the files hold: they would be made up first."""
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    with few_tensors(), torch.device("meta"):
        model = model_class.from_config(config, trust_remote_code=False)
    asked, held = sum(each.numel() for each in model.parameters()), sum(map(_num_weights, folder.glob("*.safetensors")))
    if asked > _MOST_MISSING * held:
        raise TeacherError(f"config.json asks for {asked:,} weights, the files hold {held:,}")


def _num_weights(file: Path) -> int:
    with safe_open(file, "pt") as stored:
        return sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118


@contextmanager
def _loading(path: str | Path, digest: str | None, problem: str) -> Iterator[Path]:
    """Show a library what it may load, and say in one line what it did not like."""
    with sealed_teacher(Path(path), digest) as folder:
        try:
            yield folder
        except Exception as error:
            first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise TeacherError(f"{path} {problem}: {first_line.replace(str(folder), str(path))}") from error
