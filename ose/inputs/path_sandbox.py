"""Keep the paths of a job that came over a network inside one folder of the server.

The command line may read what the account may read that runs it. A request may not: what it names is looked for
in the server's data folder alone, links followed, before anything of it reaches the file system elsewhere.
"""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ose.core.hub_names import is_repository
from ose.data.hub_dataset import parse_dataset_id
from ose.errors import CorpusError, JobFileError, OseError, TeacherError
from ose.inputs.patterns import PatternWalk
from ose.inputs.space_files import shipped_space_names
from ose.limits import operator_limits, setting_of

_LONGEST_NAME = 4_096
"""Linux's bound on a path."""


def confined(content: Mapping[str, Any], root: Path | None) -> dict[str, Any]:
    """The content of a job with every path absolute, and inside `root`.

    What has the wrong type is left for the parser to complain of.

    Args:
        content: A job file's keys and values.
        root: The server's data folder; without one, jobs may only name what a hub has.

    Raises:
        JobFileError: The space is a file of the server.
        TeacherError, CorpusError: A path leads out of the folder, or there is none.
    """
    content = dict(content)
    if isinstance(content.get("space"), str):
        _require_shipped(content["space"])
    if isinstance(teacher := content.get("teacher"), Mapping) and isinstance(teacher.get("model"), str):
        content["teacher"] = {**teacher, "model": _teacher(teacher["model"], root)}
    if isinstance(corpus := content.get("corpus"), Mapping):
        content["corpus"] = {**corpus, **_texts(corpus, root)}
    return content


def _require_shipped(space: str) -> None:
    if "/" in space or "\\" in space or space.endswith((".yaml", ".yml")):
        raise JobFileError(
            f"space: give the axes themselves or one of {', '.join(shipped_space_names())}; "
            "a server opens no file for it"
        )


def _teacher(model: str, root: Path | None) -> str:
    found = _inside(model, root, TeacherError, "teacher.model")
    if found is not None and found.is_dir():
        return str(found)
    if not is_repository(model):
        raise TeacherError(f"teacher.model: {model!r}: no such directory in the server's data folder")
    return model


def _texts(corpus: Mapping[str, Any], root: Path | None) -> dict[str, list[Any]]:
    walk = None if root is None else PatternWalk(root)
    return {
        key: [source for entry in corpus[key] for source in _sources(entry, root, walk, f"corpus.{key}")]
        for key in ("train", "validation", "general")
        if isinstance(corpus.get(key), list)
    }


def _sources(entry: object, root: Path | None, walk: PatternWalk | None, key: str) -> list[object]:
    if not isinstance(entry, str):
        return [entry]
    if entry.startswith("hf:"):
        return [str(parse_dataset_id(entry))]
    if walk is not None and glob.has_magic(entry):
        return list(_matches(entry, walk, key))
    found = _inside(entry, root, CorpusError, key)
    if found is None or not found.is_file():
        raise CorpusError(f"{key}: {entry!r}: no such file in the server's data folder (a dataset begins with hf:)")
    return [str(found)]


def _matches(pattern: str, walk: PatternWalk, key: str) -> list[str]:
    _require_plain(pattern, CorpusError, key)
    if PurePosixPath(pattern).is_absolute() or pattern.count("**") > 1:
        raise CorpusError(f"{key}: {pattern!r}: a pattern is relative to the data folder and has one ** at most")
    most = operator_limits().max_pattern_files  # more is a slip; each file is opened to see whether it holds text
    files: set[str] = set()
    for path in walk.files(pattern):
        files.add(str(path))
        if len(files) > most:
            raise CorpusError(f"{key}: {pattern!r} matches more than {most} files ({setting_of('max_pattern_files')})")
    if not files:
        raise CorpusError(f"{key}: {pattern!r} matches no file in the server's data folder")
    return sorted(files)


def _inside(name: str, root: Path | None, error: type[OseError], key: str) -> Path | None:
    """The path that `name` is in `root`, links followed; None without a root.

    Raises:
        OseError: It leads out. Nothing tells whether there is something at that place.
    """
    _require_plain(name, error, key)
    if root is None:
        return None
    try:
        home = root.resolve()
        path = (home / name).resolve()
        path.exists()  # to ask is what a name too long forbids
    except (OSError, RuntimeError, ValueError) as problem:  # a name too long, links in a circle
        raise error(f"{key}: {name!r} cannot be looked for") from problem
    if not path.is_relative_to(home):
        raise error(f"{key}: {name!r} is not in the server's data folder")
    return path


def _require_plain(name: str, error: type[OseError], key: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise error(f"{key}: {name[:60]!r}... is longer than a path can be")
    if not name or not name.isprintable() or ".." in PurePosixPath(name).parts or name.startswith("~"):
        raise error(f"{key}: {name!r} is no name in the server's data folder")
