"""Paths below the home are kept without it, so that it can be moved.

Homes are the present one, and those where distillations, exports and texts of the quickstart lay when they were stored.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import context, op

revision = "0010"
down_revision = "0009"

_MARK = "home:"
_INSIDE = ("/artifacts/distillations/", "/artifacts/exports/", "/quickstart/text/")

_JOBS = sa.table("jobs", *map(sa.column, ("id", "spec", "teacher", "corpus")))
_DISTILLATIONS = sa.table("distillations", *map(sa.column, ("id", "folder", "result")))
_EXPORTS = sa.table("exports", *map(sa.column, ("id", "folder")))


def upgrade() -> None:
    """Rewrite what lies below a home. What cannot be read is left as it is."""
    connection = op.get_bind()
    jobs, distillations, exports = (
        connection.execute(sa.select(table)).all() for table in (_JOBS, _DISTILLATIONS, _EXPORTS)
    )
    texts = [path for job in jobs for path in _paths(job.corpus)]
    kept = _keeper([*(row.folder for row in (*distillations, *exports)), *texts])
    for job in jobs:
        changed = {name: _changed(getattr(job, name), kept) for name in ("spec", "teacher", "corpus")}
        _update(connection, _JOBS, job, changed)
    taken = {row.folder for row in distillations}
    for row in distillations:
        folder = kept(row.folder)
        if folder != row.folder and folder in taken:
            continue  # the same distillation was made in two homes; the second keeps its own place
        taken.add(folder)
        _update(connection, _DISTILLATIONS, row, {"folder": folder, "result": _changed(row.result, kept)})
    for row in exports:
        _update(connection, _EXPORTS, row, {"folder": kept(row.folder)})


def _keeper(paths: Iterable[str]) -> Callable[[str], str]:
    homes = {path.partition(inside)[0] for path in paths for inside in _INSIDE if inside in path}
    home: Path | None = context.config.attributes.get("home")
    if home is not None:
        homes |= {str(home.absolute()), str(home.resolve())}
    roots = sorted((f"{each}/" for each in homes if each), key=len, reverse=True)

    def kept(path: str) -> str:
        root = next((each for each in roots if path.startswith(each)), None)
        return path if root is None else _MARK + path.removeprefix(root)

    return kept


def _paths(corpus: str) -> list[str]:
    content = _parsed(corpus)
    return [path for name in ("train", "validation") for path in content.get(name, ())]


def _changed(text: str | None, kept: Callable[[str], str]) -> str | None:
    """JSON with its paths rewritten; the very same text where there are none."""
    content = _parsed(text)
    changed = _inside(content, kept)
    return text if changed == content else json.dumps(changed, separators=(",", ":"), ensure_ascii=False)


def _inside(content: dict[str, Any], kept: Callable[[str], str]) -> dict[str, Any]:
    changed = dict(content)
    for name, value in content.items():
        if name in ("model", "path", "student_path") and isinstance(value, str):
            changed[name] = kept(value)
        elif name in ("train", "validation") and isinstance(value, list):
            changed[name] = [kept(each) if isinstance(each, str) else each for each in value]
        elif name in ("teacher", "corpus") and isinstance(value, dict):
            changed[name] = _inside(value, kept)
    return changed


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        content = json.loads(text or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _update(connection: sa.Connection, table: sa.TableClause, row: Any, values: dict[str, Any]) -> None:
    if any(getattr(row, name) != value for name, value in values.items()):
        connection.execute(table.update().where(table.c.id == row.id).values(values))
