"""Search spaces by name, by file, or inline."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from ose.core.bounds import shown
from ose.core.search_space import AXES, SearchSpace
from ose.errors import JobFileError, NotFoundError, SearchSpaceError
from ose.inputs.key_paths import dotted
from ose.inputs.space_size import require_short_axis
from ose.inputs.validation import validate
from ose.inputs.yaml_text import parse_mapping, read_mapping

_PACKAGE = "ose.search_spaces"
_SUFFIXES = (".yaml", ".yml")
_RANGE_KEYS = {"start", "stop", "step"}


def shipped_space_names() -> list[str]:
    """Names of the spaces that come with OSE, sorted."""
    files = resources.files(_PACKAGE).iterdir()
    return sorted(file.name.removesuffix(".yaml") for file in files if file.name.endswith(".yaml"))


def shipped_spaces() -> list[SearchSpace]:
    """The spaces that come with OSE, in the order of their names."""
    return [_read_shipped(name) for name in shipped_space_names()]


def load_space(source: str | Mapping[str, Any], base_dir: Path | None = None, cited_in: str = "") -> SearchSpace:
    """Load a search space.

    Args:
        source: A name of search_spaces/, a path to a YAML file (it ends in .yaml or has a folder in it),
            or the axes themselves. An axis is a list, or `{start, stop, step}` with `stop` inclusive.
        base_dir: Folder that relative paths are tried against before the working directory.
        cited_in: The job file that asks for the space, for messages.

    Raises:
        NotFoundError: There is no shipped space of this name.
        JobFileError: The file is missing or broken, a key is unknown or a value has the wrong type.
        SearchSpaceError: An axis is empty, too long or not positive, or the space has no valid member.
    """
    if isinstance(source, Mapping):
        root = ("space",) if cited_in else ()
        return _parse_space(source, cited_in or "search space", default_name="inline", root=root)
    if source.endswith(_SUFFIXES) or "/" in source:
        path = Path(source).expanduser() if source.startswith("~/") else Path(source)
        beside = (base_dir or Path()) / path
        path = beside if beside.is_file() else path
        return _parse_space(read_mapping(path), str(path), default_name=path.stem)
    return _shipped_space(source, cited_in)


def _shipped_space(name: str, cited_in: str = "") -> SearchSpace:
    names = shipped_space_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "a path to a space must end in .yaml;"
        place = f"{cited_in}: space: " if cited_in else ""
        raise NotFoundError(f"{place}no search space is called {name!r}; {hint} shipped spaces: {', '.join(names)}")
    return _read_shipped(name)


@cache
def _read_shipped(name: str) -> SearchSpace:
    """Once a process: a server is asked for the same few files again and again."""
    text = (resources.files(_PACKAGE) / f"{name}.yaml").read_text(encoding="utf8")
    return _parse_space(parse_mapping(text, f"{name}.yaml"), f"{name}.yaml", default_name=name)


def _parse_space(content: Mapping[str, Any], source: str, default_name: str, root: tuple[str, ...] = ()) -> SearchSpace:
    expanded = {"name": default_name, **content}
    for axis in (*AXES, "layers"):
        place, values = f"{source}: {dotted((*root, axis))}", expanded.get(axis)
        if axis in AXES and isinstance(values, Mapping):
            expanded[axis] = _expanded_range(values, place)
        elif isinstance(values, (list, tuple)):
            require_short_axis(place, len(values))
    return validate(SearchSpace, expanded, source, root)


def _expanded_range(axis: Mapping[str, Any], place: str) -> list[int]:
    """The values of `{start, stop, step}`, `stop` included."""
    if not {"start", "stop"} <= set(axis) <= _RANGE_KEYS:
        raise JobFileError(f"{place} must be a list, or a mapping of start, stop and step (1 unless given)")
    start, stop, step = axis["start"], axis["stop"], axis.get("step", 1)
    for key, value in (("start", start), ("stop", stop), ("step", step)):
        if type(value) is not int:
            raise JobFileError(f"{place}.{key} must be a whole number, not {shown(value)}")
    if step < 1 or stop < start:
        raise SearchSpaceError(f"{place} is empty: start {shown(start)}, stop {shown(stop)}, step {shown(step)}")
    require_short_axis(place, (stop - start) // step + 1)
    return list(range(start, stop + 1, step))
