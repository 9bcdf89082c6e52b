"""Metrics go by their names: one column of candidates, and one mapping in what is stored as JSON.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_FORMER = ("masked_lm_loss_nats", "masked_accuracy")
_ROWS_AT_ONCE = 500
"""Evaluations hold the loss of every step, so not all of them are in memory at once."""

_CANDIDATES = sa.table("candidates", *map(sa.column, ("id", *_FORMER, "metrics")))
_STORED = {"jobs": "teacher_quality", "trials": "evaluation", "distillations": "result"}


def upgrade() -> None:
    """Rename what is there. Whatever cannot be read is left as it is."""
    op.add_column("candidates", sa.Column("metrics", sa.Text, nullable=False, server_default="{}"))
    _change(_CANDIDATES, _FORMER, _named)
    for former in _FORMER:
        op.drop_column("candidates", former)
    for name, column in _STORED.items():
        table = sa.table(name, sa.column("id"), sa.column(column))
        _change(table, [column], partial(_renamed_in, column))


def _change(table: sa.TableClause, columns: Sequence[str], changed: Callable[[Any], dict[str, Any]]) -> None:
    """Rewrite the rows in which one of some columns has a value, a part of them at a time."""
    connection = op.get_bind()
    update = table.update().where(table.c.id == sa.bindparam("of"))
    has_value = sa.or_(*(table.c[name].is_not(None) for name in columns))
    ids = list(connection.scalars(sa.select(table.c.id).where(has_value)))
    for first in range(0, len(ids), _ROWS_AT_ONCE):
        of_part = table.c.id.in_(ids[first : first + _ROWS_AT_ONCE])
        rows = connection.execute(sa.select(table).where(of_part)).all()
        connection.execute(update, [{"of": row.id, **changed(row)} for row in rows])


def _named(row: Any) -> dict[str, Any]:
    return {"metrics": _text(_metrics(row._asdict()))}


def _renamed_in(column: str, row: Any) -> dict[str, Any]:
    return {column: _renamed(getattr(row, column))}


def _renamed(text: str) -> str:
    """JSON with its metrics in one mapping; the very same text where there are none."""
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if not isinstance(content, dict) or not content.keys() & set(_FORMER):
        return text
    rest = {name: value for name, value in content.items() if name.removesuffix("_stderr") not in _FORMER}
    return _text({**rest, "metrics": _metrics(content)})


def _metrics(values: dict[str, Any]) -> dict[str, Any]:
    known = [name for name in _FORMER if values.get(name) is not None]
    return {name: {"value": values[name], "stderr": _number(values.get(f"{name}_stderr"))} for name in known}


def _number(stderr: Any) -> Any:
    """NaN, which the standard error of a single sequence was, is now written as nothing."""
    return None if stderr != stderr else stderr


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
