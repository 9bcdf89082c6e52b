"""Where a key stands in a tree of dataclasses, and what the tree has there."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

KeyPath = tuple[str | int, ...]


def dotted(path: KeyPath) -> str:
    """The name of a key as people write it: `search.hyperparameters[0].batch_size`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def fields_of(kind: Any, path: KeyPath = ()) -> dict[str, Any]:
    """Names and types of the fields of the dataclass that stands at `path` below `kind`; none if there is none."""
    return _fields(type_at(kind, path))


def type_at(kind: Any, path: KeyPath) -> Any:
    """The type that stands at `path` below `kind`, without None; Any where nothing does."""
    for part in path:
        kind = _item(kind) if isinstance(part, int) else _fields(kind).get(str(part), Any)
    return kind


def all_keys(kind: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key of the tree, parents first; a list is shown by its first item."""
    for name, hint in _fields(kind).items():
        yield (*path, name)
        if _item(hint) is hint:
            yield from all_keys(hint, (*path, name))
        else:
            yield from all_keys(_item(hint), (*path, name, 0))


@cache
def _fields(kind: Any) -> dict[str, Any]:
    if not dataclasses.is_dataclass(kind):
        return {}
    hints = get_type_hints(kind)
    return {field.name: _without_none(hints[field.name]) for field in dataclasses.fields(kind)}


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union; any other type is its only one."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _without_none(hint: Any) -> Any:
    return Union[tuple(kind for kind in _kinds(hint) if kind is not type(None))]  # noqa: UP007 - made at run time


def _item(hint: Any) -> Any:
    """The type of a list's items, also where a list is one of several things; any other type stays itself."""
    return next((get_args(kind)[0] for kind in _kinds(hint) if get_origin(kind) is tuple), hint)
