"""The store on SQL: each method one transaction, each change of state checked by the statement that makes it."""
# ruff: noqa: D102 - ose.store.base describes the methods

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, func, insert, select, update

from ose.core.job import Distillation, DistillationResult, DistillationStatus, FailureReport
from ose.core.measurement import LatencyMeasurement
from ose.core.recipe import DistillationSpec
from ose.store import rows
from ose.store.base import StoredLatency
from ose.store.candidates import SqlCandidates
from ose.store.columns import UtcTime
from ose.store.jobs import SqlJobs, keep_job
from ose.store.leaderboard import SqlPages
from ose.store.references import SqlReferences
from ose.store.studies import make_studies_url
from ose.store.submissions import SqlService
from ose.store.tables import DISTILLATIONS, LATENCIES
from ose.store.transactions import Transactions, insert_once

_KEY = ("shape_key", "protocol_key", "fingerprint_key")
_NEWEST_LATENCY = (
    select(LATENCIES)
    .where(*(LATENCIES.c[name] == bindparam(name) for name in _KEY))
    .order_by(LATENCIES.c.created_at.desc(), LATENCIES.c.id.desc())
    .limit(1)
)


class SqlStore(SqlJobs, SqlCandidates, SqlReferences, SqlPages, SqlService):
    """`ose.store.base.Store` on SQLite or PostgreSQL."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def now(self) -> datetime:
        with self._transactions.read() as connection:
            if connection.dialect.name == "sqlite":  # a file, and so on the caller's machine
                return datetime.now(UTC)
            now: datetime = connection.execute(select(func.clock_timestamp(type_=UtcTime))).scalar_one()
            return now

    def studies_url(self) -> str:
        return make_studies_url(self._transactions)

    def close(self) -> None:
        self._transactions.close()

    def latency(self, shape_key: str, protocol_key: str, fingerprint_key: str) -> StoredLatency | None:
        key = {"shape_key": shape_key, "protocol_key": protocol_key, "fingerprint_key": fingerprint_key}
        with self._transactions.read() as connection:
            row = connection.execute(_NEWEST_LATENCY, key).one_or_none()
        return None if row is None else StoredLatency(id=row.id, measurement=row.measurement)

    def add_latency(
        self, shape_key: str, protocol_key: str, fingerprint_key: str, measurement: LatencyMeasurement, now: datetime
    ) -> StoredLatency:
        values = {
            "shape_key": shape_key,
            "protocol_key": protocol_key,
            "fingerprint_key": fingerprint_key,
            "p50_ms": measurement.p50_ms,
            "p90_ms": measurement.p90_ms,
            "measurement": measurement,
            "created_at": now,
        }
        with self._transactions.write() as connection:
            return StoredLatency(id=_inserted(connection, LATENCIES, values), measurement=measurement)

    def add_distillation(
        self, job_id: str, candidate_number: int, spec: DistillationSpec, folder: str, now: datetime
    ) -> Distillation:
        values = {
            "job_id": job_id,
            "candidate_number": candidate_number,
            "status": DistillationStatus.RUNNING,
            "spec": spec,
            "folder": folder,
            "created_at": now,
        }
        with self._transactions.write() as connection:
            keep_job(connection, job_id)
            insert_once(connection, DISTILLATIONS, values)
            query = rows.SELECT_DISTILLATIONS.where(DISTILLATIONS.c.folder == folder)
            return rows.to_distillation(connection.execute(query).one())

    def finish_distillation(
        self,
        distillation_id: int,
        now: datetime,
        *,
        result: DistillationResult | None = None,
        failure: FailureReport | None = None,
    ) -> None:
        if (result is None) == (failure is None):
            raise ValueError("a distillation ends with either a result or a failure")
        status = DistillationStatus.SUCCEEDED if result else DistillationStatus.FAILED
        ended = {"status": status, "finished_at": now, "lease_owner": None, "lease_expires_at": None}
        self._change_distillation(distillation_id, {**ended, "result": result, **rows.from_failure(failure)})

    def reopen_distillation(self, distillation_id: int) -> None:
        values = {"status": DistillationStatus.RUNNING, "finished_at": None, **rows.from_failure(None)}
        self._change_distillation(distillation_id, values)

    def _change_distillation(self, distillation_id: int, values: dict[str, Any]) -> None:
        is_open = DISTILLATIONS.c.status != DistillationStatus.SUCCEEDED
        change = update(DISTILLATIONS).where(DISTILLATIONS.c.id == distillation_id, is_open).values(values)
        with self._transactions.write() as connection:
            connection.execute(change)

    def distillations(self, job_id: str) -> list[Distillation]:
        query = rows.SELECT_DISTILLATIONS.where(DISTILLATIONS.c.job_id == job_id)
        with self._transactions.read() as connection:
            found = connection.execute(query.order_by(DISTILLATIONS.c.id.desc()))
            return [rows.to_distillation(row) for row in found]


def _inserted(connection: Connection, table: Table, values: dict[str, Any]) -> int:
    """Insert a row and return the number that the database gave it."""
    key: Any = connection.execute(insert(table), values).inserted_primary_key
    return int(key[0])
