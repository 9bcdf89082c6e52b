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
from ose.tasks.registry import TASKS, task_rules
from ose.tasks.rules import TaskRules
from ose.tasks.sealed_teacher import sealed_teacher
from ose.tasks.teacher_folder import TeacherFolder
from ose.tasks.teacher_settings import CONFIG, INDEX
from ose.tasks.tensor_names import require_all_used, require_none_missing
from ose.tasks.tensor_values import require_sound_values

_MOST_MISSING = 2
"""Weights asked for to those held; of a complete model no more than tied ones that are stored once."""


def load_model(model_class: Any, path: str | Path, digest: str | None, rules: TaskRules) -> PreTrainedModel:
    """Load a model in float32, frozen and in evaluation mode.

    Only safetensors are read, and no code from the directory is run. Every tensor of the files is one of the model's,
    or of a part that the task has no use for, and every tensor of the model is in the files, or tied to one.

    Args:
        model_class: One of transformers' `AutoModelFor...`, which have no type that they share.
        path: The directory.
        digest: What the teacher must still be; None takes it as it is.
        rules: Of its task.

    Raises:
        TeacherError: The directory holds no complete model of this kind, or another one than it did, or values that no
            trained model has.
    """
    if digest is None and is_onnx(Path(path)):
        return cast("PreTrainedModel", OnnxModel(Path(path), load_config(path)))  # called as one, for its logits alone
    with _loading(path, digest, f"is no {rules.model_kind} that can be loaded") as folder:
        _require_weights(model_class, folder)
        model, info = model_class.from_pretrained(
            folder,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    require_all_used(info["unexpected_keys"], rules, Path(path))
    require_none_missing(info["missing_keys"], rules, Path(path))
    require_sound_values(model, path)
    model.config.name_or_path = model.name_or_path = str(path)
    loaded: PreTrainedModel = model.eval().requires_grad_(False)
    return loaded


def tensors_left_out(model: PreTrainedModel, path: str | Path) -> tuple[str, ...]:
    """The tensors in a directory's files that its model has no part for, by their names, sorted.

    Norms of the oldest files have other names than the model's; files of an encoder alone lack its name at the front.
    """
    known = {_ending(name) for name in model.state_dict()}
    files = [Path(path) / name for name in TeacherFolder(Path(path)).weights() if name != INDEX]
    names = [name for file in files for name in _tensor_names(file)]
    return tuple(sorted(name for name in names if not {_ending(name), name} & known))


def _ending(name: str) -> str:
    renamed = name.removesuffix(".gamma") + ".weight" if name.endswith(".gamma") else name
    renamed = renamed.removesuffix(".beta") + ".bias" if renamed.endswith(".beta") else renamed
    return renamed.partition(".")[2]


def _tensor_names(file: Path) -> list[str]:
    with safe_open(file, "pt") as stored:
        return list(stored.keys())


def load_with_new_head(
    model_class: Any, path: str | Path, changes: Mapping[str, Any], seed: int, rules: TaskRules
) -> PreTrainedModel:
    """Load an encoder in float32 under a head that is drawn anew, to be trained.

    What does not belong to the encoder is drawn from the seed, also where the directory has something of that name.

    Args:
        model_class: Of the model that is wanted, as for `load_model`.
        path: The directory of the encoder, alone or under any head.
        changes: What the configuration says of the new head.
        seed: Of the draw.
        rules: Of its task.

    Raises:
        TeacherError: The directory holds no complete encoder that such a model has.
    """
    with _loading(path, None, f"has no encoder that a {rules.model_kind} can be made of") as folder:
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
    heads = tuple(prefix for name in TASKS for prefix in task_rules(name).head_prefixes)
    require_all_used((name for name in info["unexpected_keys"] if not name.startswith(heads)), rules, Path(path))
    encoder = f"{model.base_model_prefix}."
    missing = {*info["missing_keys"], *(each[0] for each in info["mismatched_keys"])}
    lacking = sorted(key for key in missing if key.startswith(encoder) and not any(each in key for each in _DRAWN))
    if lacking:
        raise TeacherError(f"{path} lacks {len(lacking)} of the encoder's weights, among them {lacking[0]}")
    drawn = {key: each for key, each in fresh.state_dict().items() if key in missing or not key.startswith(encoder)}
    model.load_state_dict(drawn, strict=False)
    require_sound_values(model, path)
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
    rows = _vocabulary_rows(path)
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
    require_rows(max(tokenizer.get_vocab().values()), rows, path)
    tokenizer.name_or_path = str(path)
    return tokenizer


def require_rows(highest: int, rows: int | None, path: str | Path) -> None:
    """Refuse a tokenizer with tokens for which the model has no row.

    Args:
        highest: Its highest token id.
        rows: Of the model's vocabulary; None where there is none.
        path: The directory, for messages.

    Raises:
        TeacherError: It has.
    """
    if rows is not None and highest >= rows:
        raise TeacherError(
            f"{path}: the tokenizer has token ids up to {highest:,}, the model's vocabulary ends before {rows:,}; they "
            "do not belong together"
        )


def _vocabulary_rows(path: str | Path) -> int | None:
    """Read before the tokenizer, whose loading would call a configuration that cannot be read a missing tokenizer."""
    return getattr(load_config(path), "vocab_size", None) if (Path(path) / CONFIG).exists() else None


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
