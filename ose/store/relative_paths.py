"""Paths as a database keeps them: those below the home without it, so that a home may be moved or mounted elsewhere.

`home:artifacts/exports/1` is kept of `/data/home/artifacts/exports/1`; every other path is kept as it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import Dialect

from ose.core.job import CorpusFacts, DistillationResult, TeacherFacts
from ose.core.spec import CorpusSpec, JobSpec, TeacherSpec

MARK = "home:"

_FIELDS: dict[type, tuple[str, ...]] = {
    JobSpec: ("teacher", "corpus"),
    TeacherSpec: ("model",),
    CorpusSpec: ("train", "validation", "general"),
    TeacherFacts: ("path",),
    CorpusFacts: ("train", "validation", "general", "left_out", "root"),
    DistillationResult: ("student_path",),
}
"""Where paths stand in what is stored as JSON."""

_ATTRIBUTE = "ose_places"


@dataclass(frozen=True)
class HomePaths:
    """Translates paths for a database that belongs to a home; None translates nothing."""

    home: Path | None

    def kept(self, value: Any) -> Any:
        """A path, or what holds paths, as it is stored."""
        return value if self.home is None else _changed(value, self._kept_path)

    def found(self, value: Any) -> Any:
        """What was stored, as it can be opened here."""
        return value if self.home is None else _changed(value, self._found_path)

    @cached_property
    def _roots(self) -> tuple[str, ...]:
        """The home as it is called, and as it is called where links are followed."""
        assert self.home is not None
        return f"{self.home.absolute()}/", f"{self.home.resolve()}/"

    def _kept_path(self, path: str) -> str:
        root = next((each for each in self._roots if path.startswith(each)), None)
        return path if root is None else MARK + path.removeprefix(root)

    def _found_path(self, kept: str) -> str:
        inside = kept.removeprefix(MARK)
        is_below = kept.startswith(MARK) and not inside.startswith("/") and ".." not in PurePosixPath(inside).parts
        return self._roots[0] + inside if is_below else kept


def set_places(dialect: Dialect, home: Path | None) -> None:
    """Say which home a database belongs to; column types are asked for nothing but values and their dialect."""
    setattr(dialect, _ATTRIBUTE, HomePaths(home))


def places_of(dialect: Dialect) -> HomePaths:
    """What `set_places` said."""
    places: HomePaths = getattr(dialect, _ATTRIBUTE, HomePaths(None))
    return places


def _changed(value: Any, change: Any) -> Any:
    """A value with its paths changed; the very same where there are none."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_changed(each, change) for each in value)
    before = {name: getattr(value, name) for name in _FIELDS.get(type(value), ())}
    after = {name: _changed(each, change) for name, each in before.items()}
    return value if after == before else replace(value, **after)
