"""What a teacher's settings may make the libraries do that load it.

config.json and its companions are somebody else's input, and what stands there decides much: which code is run, which
kernel is fetched, which file is opened. So only what is known to be harmless is handed on (numbers, switches and plain
words for a model, and for a tokenizer the keys listed here), and a teacher that asks for code, kernels or
quantized weights is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ose.errors import TeacherError
from ose.limits import operator_limits, setting_of

CONFIG = "config.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS = "special_tokens_map.json"
INDEX = "model.safetensors.index.json"

Settings = dict[str, Any]

_WORD = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.,+| -]{0,99}")
"""A name of a function, a type or a version, but neither a path nor a repository."""

_TOKENIZER_CLASS = re.compile(r"(?!Auto)[A-Za-z0-9_]+(Tokenizer|TokenizerFast|Backend)")
_ATTENTIONS = (None, "eager", "sdpa")
"""What torch and transformers bring along; any other may be fetched as a kernel from a hub."""

_NEEDS_MORE = {
    "attribute_map": "gives settings other names (attribute_map in {name}), behind which nothing could be checked",
    "auto_map": "needs code of its own (auto_map in {name}), which OSE never runs",
    "quantization_config": "has quantized weights (quantization_config in {name}); OSE needs them as they were trained",
    "compression_config": "has quantized weights (compression_config in {name}); OSE needs them as they were trained",
    "use_kernels": "asks for kernels of a hub (use_kernels in {name}), which OSE never fetches",
    "kernel_config": "asks for kernels of a hub (kernel_config in {name}), which OSE never fetches",
}
_NEVER_HANDED_ON = {
    "transformers_weights", "configuration_files", "fusion_config", "distributed_config", "custom_pipelines",
    "trust_remote_code", "local_files_only", "name_or_path", "_name_or_path",
}  # fmt: skip
"""They name other files, or speak to the loader and not of the model."""

_TOKENIZER_WORDS = {
    "tokenizer_class", "padding_side", "truncation_side", "errors", "src_lang", "tgt_lang", "task",
    "word_tokenizer_type", "subword_tokenizer_type", "backend", "model_input_names", "lang2id", "id2lang",
}  # fmt: skip
_TOKENS = {
    "additional_special_tokens", "extra_special_tokens", "model_specific_special_tokens", "added_tokens_decoder",
    "never_split", "wordpieces_prefix",
}  # fmt: skip
_TOKEN_KEYS = {"content", "lstrip", "rstrip", "single_word", "normalized", "special", "__type"}


def handed_on(name: str, content: bytes, folder: Path) -> bytes:
    """What of a teacher's file the libraries are shown.

    Args:
        name: The file's, which decides what may stand in it.
        content: All of it.
        folder: The teacher's, for messages.

    Raises:
        TeacherError: It asks for what is never done, or is no JSON where it must be.
    """
    if name not in _READERS:
        return content
    try:
        return json.dumps(_READERS[name](parse_object(content, folder / name), folder / name)).encode()
    except RecursionError as error:
        raise TeacherError(f"{folder / name} is nested too deeply") from error


def parse_object(content: bytes, place: Path) -> Settings:
    """The JSON object in a file.

    Raises:
        TeacherError: It is no JSON, or no object.
    """
    try:
        value = json.loads(content.decode("utf8"))
    except (ValueError, RecursionError) as error:
        raise TeacherError(f"{place} is no valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise TeacherError(f"{place} must hold a JSON object")
    return value


def shard_names(index: Settings, place: Path) -> tuple[str, ...]:
    """The weights' files that an index names, sorted.

    Raises:
        TeacherError: It is no index, or names what is no file beside it.
    """
    try:
        names = sorted(set(index["weight_map"].values()))
    except (KeyError, TypeError, AttributeError) as error:
        raise TeacherError(f"{place} is no index of safetensors shards") from error
    for name in names:
        if not (isinstance(name, str) and _WORD.fullmatch(name) and name.endswith(".safetensors")):
            raise TeacherError(f"{place} names {str(name)[:60]!r}, which is no file of safetensors beside it")
    return tuple(names)


def _of_model(content: Settings, place: Path) -> Settings:
    _refuse_what_needs_more(content, place)
    _require_few_labels(content, place)
    return {key: value for key, value in _harmless(content).items() if key not in _NEVER_HANDED_ON}


def _of_tokenizer(content: Settings, place: Path) -> Settings:
    _refuse_what_needs_more(content, place)
    for key, value in content.items():
        if key.endswith("_kwargs") and value and not isinstance(value, str):
            raise TeacherError(f"{place} has {key}, which OSE does not hand on to another library")
    kept = {key: _of_tokenizer_key(key, value) for key, value in content.items() if key not in _NEVER_HANDED_ON}
    return {key: value for key, value in kept.items() if value is not None or content[key] is None}


def _of_index(content: Settings, place: Path) -> Settings:
    shard_names(content, place)
    return {"metadata": {}, "weight_map": content["weight_map"]}


_READERS: dict[str, Callable[[Settings, Path], Settings]] = {
    CONFIG: _of_model,
    TOKENIZER_CONFIG: _of_tokenizer,
    SPECIAL_TOKENS: _of_tokenizer,
    INDEX: _of_index,
}


def _refuse_what_needs_more(content: Settings, place: Path) -> None:
    for key, value in _pairs(content):
        if value and key in _NEEDS_MORE:
            raise TeacherError(f"{place.parent} {_NEEDS_MORE[key].format(name=place.name)}")
        if key.endswith(("_implementation", "_implementation_internal")) and value not in _ATTENTIONS:
            raise TeacherError(
                f"{place.parent} asks for {str(value)[:60]!r} ({key} in {place.name}); OSE takes eager or sdpa, and "
                "fetches no kernels"
            )
        if key == "tokenizer_class" and value and not _TOKENIZER_CLASS.fullmatch(str(value)):
            raise TeacherError(f"{place}: {str(value)[:60]!r} is no tokenizer's class of transformers")


def _require_few_labels(content: Settings, place: Path) -> None:
    """The library makes a dictionary of as many names as a configuration asks for, whatever the model's class."""
    most = operator_limits().max_teacher_labels
    for key, labels in _pairs(content):
        if key == "num_labels" and labels is not None and not (type(labels) is int and 0 <= labels <= most):
            raise TeacherError(f"{place}: num_labels must be at most {most:,} ({setting_of('max_teacher_labels')})")


def _pairs(value: object) -> Iterator[tuple[str, Any]]:
    """Keys and values at any depth: a model may be made of others, each with settings of its own."""
    if isinstance(value, dict):
        yield from value.items()
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _pairs(inner)


def _harmless(value: Any) -> Any:
    """Numbers, switches and plain words, and what is made of them; of a mapping, the keys that hold such."""
    if isinstance(value, dict):
        kept = {key: _harmless(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None or value[key] is None}
    if isinstance(value, list):
        kept_items = [_harmless(each) for each in value]
        return kept_items if kept_items == value else None
    is_word = isinstance(value, str) and _WORD.fullmatch(value)
    return value if is_word or value is None or isinstance(value, (bool, int, float)) else None


def _of_tokenizer_key(key: str, value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        return value
    if key in _TOKENIZER_WORDS:
        return _harmless(value)
    return _tokens(value) if key in _TOKENS or key.endswith("_token") else None


def _tokens(value: Any) -> Any:
    """A token, or several: any text, which is compared with other text and never looked up."""
    if isinstance(value, list):
        return [_tokens(each) for each in value]
    if isinstance(value, dict) and "content" in value:
        return {key: each for key, each in value.items() if key in _TOKEN_KEYS}
    if isinstance(value, dict):
        return {key: _tokens(each) for key, each in value.items()}
    return value if isinstance(value, str) else None
