"""Turns between owners: of those whose things wait, the one comes first that was served longest ago."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.dialects import postgresql, sqlite

from ose.store.service_tables import TURNS

Queue = Literal["jobs", "distillations"]

_LOCKS: dict[Queue, int] = {"jobs": 0x05E1, "distillations": 0x05E2}
"""Name the locks among the advisory locks of a PostgreSQL database."""

_THIS_MACHINE = ""
"""Stands for what was asked for without a token."""


def wait_for_turns(connection: Connection, queue: Queue) -> None:
    """Let one after the other be served until its transaction ends, so that each sees whose turn it is by then."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(select(func.pg_advisory_xact_lock(_LOCKS[queue])))


def turn_of(queue: Queue, owner: ColumnElement[Any]) -> ColumnElement[int]:
    """When an owner was last served: a higher number is later, and 0 is never."""
    is_its = (TURNS.c.queue == queue) & (TURNS.c.owner == func.coalesce(owner, _THIS_MACHINE))
    return func.coalesce(select(TURNS.c.turn).where(is_its).scalar_subquery(), 0)


def take_turn(connection: Connection, queue: Queue, owner: str | None) -> None:
    """Note that an owner is served now."""
    last = select(func.max(TURNS.c.turn)).where(TURNS.c.queue == queue)
    turn = (connection.scalar(last) or 0) + 1
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    note = insert(TURNS).values(queue=queue, owner=owner or _THIS_MACHINE, turn=turn)
    connection.execute(note.on_conflict_do_update(index_elements=["queue", "owner"], set_={"turn": turn}))
