"""Marks of change: a reader that has seen a job's candidates once learns what has changed since, and reads only that.

Every statement that adds or changes a candidate writes the mark of its transaction beside it. A reader takes a mark
with what it reads; whatever is committed later bears that mark or a higher one.

SQLite has one writer at a time, so the marks of a job are simply counted up. PostgreSQL has many, which may commit in
another order than they began in: there the mark is the transaction's number, and a reader's is the lowest number that
is still open, so that it may be told again what it has seen but never misses a change.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class writers_mark(FunctionElement[int]):
    """The mark of what this transaction adds to or changes in a job's candidates.

    Args:
        job_id: The job, as SQL.
    """

    type = BigInteger()
    inherit_cache = True


class readers_mark(FunctionElement[int]):
    """What is committed after this transaction's view was taken has this mark, or a higher one.

    Args:
        job_id: The job, as SQL.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(writers_mark, "postgresql")
def _postgres_writer(element: writers_mark, compiler: Any, **options: Any) -> str:
    return "CAST(CAST(pg_current_xact_id() AS text) AS bigint)"


@compiles(readers_mark, "postgresql")
def _postgres_reader(element: readers_mark, compiler: Any, **options: Any) -> str:
    return "CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"


@compiles(writers_mark, "sqlite")
def _sqlite_writer(element: writers_mark, compiler: Any, **options: Any) -> str:
    return _counted_up(element, compiler, **options)


def _counted_up(element: FunctionElement[int], compiler: Any, **options: Any) -> str:
    [job_id] = (compiler.process(each, **options) for each in element.clauses)
    return f"(SELECT coalesce(max(known.changed), 0) + 1 FROM candidates AS known WHERE known.job_id = {job_id})"


@compiles(readers_mark, "sqlite")
def _sqlite_reader(element: readers_mark, compiler: Any, **options: Any) -> str:
    return _counted_up(element, compiler, **options)
