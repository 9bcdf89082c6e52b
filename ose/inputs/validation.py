"""Turn plain mappings into the frozen dataclasses of `ose.core`, or into one line that says what is wrong."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, PydanticSerializationError, to_json

from ose.core.bounds import shown
from ose.core.layer_choice import LayerChoice, LayerRule
from ose.errors import JobFileError, SearchSpaceError
from ose.inputs.key_paths import KeyPath, all_keys, dotted, fields_of, type_at

T = TypeVar("T")

_UNKNOWN_KEY = "unexpected_keyword_argument"
_MUST_BE = {
    "tuple": "a list",
    "dataclass": "a mapping of keys to values",
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "string": "text (quote it)",
    "bool": "true or false",
}
"""What to say for pydantic's error types, by their first word."""


def validate(kind: type[T], content: Mapping[Any, Any], source: str, root: KeyPath = ()) -> T:
    """Build a dataclass of type `kind` from `content`, as strictly as if it were JSON: "5" is no number, and true no 1.

    Args:
        kind: A dataclass of `ose.core.spec` or `ose.core.search_space`.
        content: As YAML or JSON gave it.
        source: What error messages call it, a file name as a rule.
        root: Where `content` stands inside `source`.

    Raises:
        JobFileError: A key is unknown or missing, or a value is wrong; the message names the dotted key.
        SearchSpaceError: The values are fine one by one, but the space they make is not.
    """
    try:
        value: T = _adapter(kind).validate_json(  # type: ignore[arg-type] # a class can be hashed
            to_json(content, inf_nan_mode="constants"), strict=True
        )
    except ValidationError as error:
        raise _translated(error, kind, source, root) from error
    except (PydanticSerializationError, ValueError) as error:  # half a character, a list that holds itself
        raise JobFileError(f"{source}: holds what is no JSON: {' '.join(str(error).split())}") from error
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _translated(error: ValidationError, kind: type, source: str, root: KeyPath) -> JobFileError | SearchSpaceError:
    """One line for the first error; unknown keys come first, since they explain what is missing."""
    details = min(error.errors(), key=lambda each: each["type"] != _UNKNOWN_KEY)
    cause = details.get("ctx", {}).get("error")
    leaf = SearchSpaceError if isinstance(cause, SearchSpaceError) else JobFileError
    return leaf(f"{source}: {' '.join(_problem(details, kind, root).split())}")


def _problem(details: ErrorDetails, kind: type, root: KeyPath) -> str:
    path, reason = details["loc"], details["type"]
    if choice := _layer_choice(kind, path):
        return f"{dotted(root + choice)} must be a rule ({', '.join(get_args(LayerRule))}) or a list of layers"
    name = dotted(root + path) or "it"
    if reason == _UNKNOWN_KEY:
        return f"{name} is unknown; {_suggestion(kind, path, root)}"
    if reason in ("missing", "missing_keyword_only_argument"):
        return f"{name} is missing"
    if reason == "value_error":
        return _located(str(details["ctx"]["error"]), kind, path, root)
    if reason == "too_long":
        return f"{name} has too many values; it takes {details['ctx']['max_length']}"
    if isinstance(details["input"], bool):
        return f"{name} must not be true or false"
    expected = details.get("ctx", {}).get("expected") or _MUST_BE.get(reason.split("_")[0])
    return f"{name} must be {expected}, not {_shown(details['input'])}" if expected else f"{name}: {details['msg']}"


def _layer_choice(kind: type, path: KeyPath) -> KeyPath | None:
    """Where in `path` a choice of layers stands; what is behind it are pydantic's names for the two alternatives."""
    beginnings = (path[:length] for length in range(1, len(path) + 1))
    return next((each for each in beginnings if type_at(kind, each) == LayerChoice), None)


def _located(message: str, kind: type, path: KeyPath, root: KeyPath) -> str:
    """A dataclass's own message, with the place put before it unless it names it already."""
    place = dotted(root + path)
    if not place or message.startswith(place):
        return message
    names_a_field = message.split(" ")[0] in fields_of(kind, path)
    return f"{place}.{message}" if names_a_field else f"{place}: {message}"


def _suggestion(kind: type, path: KeyPath, root: KeyPath) -> str:
    """The nearest key of the same mapping, or else of any mapping below."""
    parent, key = path[:-1], str(path[-1])
    siblings = list(fields_of(kind, parent))
    if near := difflib.get_close_matches(key, siblings, n=1):
        return f"did you mean {dotted((*root, *parent, near[0]))}?"
    elsewhere = {str(each[-1]): each for each in reversed(list(all_keys(kind)))}
    if near := difflib.get_close_matches(key, list(elsewhere), n=1, cutoff=0.8):
        return f"did you mean {dotted(root + elsewhere[near[0]])}?"
    return f"known here: {', '.join(siblings)}"


def _shown(value: Any) -> str:
    return "null" if value is None else shown(value)
