"""Reference rows on SQL: each of a job's is stored once."""
# ruff: noqa: D102 - ose.store.base describes the methods

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from ose.core.reference import Reference
from ose.store.jobs import hold_job
from ose.store.tables import REFERENCES
from ose.store.transactions import Transactions, insert_once


class SqlReferences:
    """The part of a Store that is about reference rows."""

    _transactions: Transactions

    def add_reference(self, job_id: str, owner: str, reference: Reference, now: datetime) -> None:
        values = {"job_id": job_id, "name": reference.name, "reference": reference, "created_at": now}
        with self._transactions.write() as connection:
            hold_job(connection, job_id, owner)
            insert_once(connection, REFERENCES, values)

    def references(self, job_id: str) -> list[Reference]:
        query = select(REFERENCES.c.reference).where(REFERENCES.c.job_id == job_id).order_by(REFERENCES.c.id)
        with self._transactions.read() as connection:
            return list(connection.scalars(query))
