"""Distillations that wait for a coordinator, and the exports that it makes of them, on SQL."""
# ruff: noqa: D102 - ose.store.service_base describes the methods

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select, update

from ose.core.exports import Export
from ose.core.job import Distillation, DistillationStatus, FailureReport
from ose.core.recipe import DistillationSpec
from ose.errors import NotFoundError, UnreadableError
from ose.store import rows
from ose.store.jobs import keep_job
from ose.store.quotas import hold_owner, require_place_for_distillation
from ose.store.service_tables import EXPORTS
from ose.store.tables import DISTILLATIONS
from ose.store.transactions import Transactions, changes_one, insert_once
from ose.store.turns import take_turn, turn_of, wait_for_turns

_EXPORT = select(EXPORTS)
_QUEUED = {"status": DistillationStatus.PENDING, "lease_owner": None, "lease_expires_at": None, "num_claims": 0}


class SqlQueue:
    """The part of a Store that is about requested distillations and their exports."""

    _transactions: Transactions

    def request_distillation(
        self,
        job_id: str,
        candidate_number: int,
        spec: DistillationSpec,
        folder: str,
        num_workers: int,
        now: datetime,
        owner: str | None = None,
        max_queued: int | None = None,
    ) -> Distillation:
        values = {
            "job_id": job_id,
            "candidate_number": candidate_number,
            "spec": spec,
            "folder": folder,
            "created_at": now,
            "num_workers": num_workers,
            "owner": owner,
        }
        same = DISTILLATIONS.c.folder == folder
        failed = and_(same, DISTILLATIONS.c.status == DistillationStatus.FAILED)
        again = {**_QUEUED, "num_workers": num_workers, "owner": owner, "finished_at": None, **rows.from_failure(None)}
        with self._transactions.write() as connection:
            hold_owner(connection, owner)  # before the job, as everywhere: else two could wait for each other
            keep_job(connection, job_id)
            if connection.scalar(select(DISTILLATIONS.c.status).where(same)) in (None, DistillationStatus.FAILED):
                require_place_for_distillation(connection, owner, max_queued)
            insert_once(connection, DISTILLATIONS, {**_QUEUED, **values})
            connection.execute(update(DISTILLATIONS).where(failed).values(again))
            return rows.to_distillation(connection.execute(rows.SELECT_DISTILLATIONS.where(same)).one())

    def distillation(self, distillation_id: int) -> Distillation:
        with self._transactions.read() as connection:
            row = connection.execute(
                rows.SELECT_DISTILLATIONS.where(DISTILLATIONS.c.id == distillation_id)
            ).one_or_none()
        if row is None:
            raise NotFoundError(f"there is no distillation {distillation_id}")
        return rows.to_distillation(row)

    def claim_distillation(
        self, owner: str, now: datetime, lease_expires_at: datetime
    ) -> tuple[Distillation, int] | None:
        waits = or_(
            DISTILLATIONS.c.status == DistillationStatus.PENDING,
            and_(DISTILLATIONS.c.status == DistillationStatus.RUNNING, DISTILLATIONS.c.lease_expires_at < now),
        )
        held = {
            "status": DistillationStatus.RUNNING,
            "lease_owner": owner,
            "lease_expires_at": lease_expires_at,
            "num_claims": DISTILLATIONS.c.num_claims + 1,
        }
        turn = turn_of("distillations", DISTILLATIONS.c.owner)
        waiting = select(DISTILLATIONS.c.id, DISTILLATIONS.c.owner).where(waits)
        in_turn = waiting.order_by(turn, DISTILLATIONS.c.id).limit(1)
        with self._transactions.write() as connection:
            wait_for_turns(connection, "distillations")
            in_turn = in_turn.with_for_update(skip_locked=True, of=DISTILLATIONS)
            while (first := connection.execute(in_turn).one_or_none()) is not None:
                take_turn(connection, "distillations", first.owner)
                this = DISTILLATIONS.c.id == first.id
                connection.execute(update(DISTILLATIONS).where(this).values(held))
                try:
                    row = connection.execute(rows.SELECT_DISTILLATIONS.where(this)).one()
                    return rows.to_distillation(row), row.num_workers
                except UnreadableError as error:
                    connection.execute(update(DISTILLATIONS).where(this).values(_given_up(now, error)))
            return None

    def renew_distillation(self, distillation_id: int, owner: str, lease_expires_at: datetime) -> bool:
        renewal = update(DISTILLATIONS).where(_is_held(distillation_id, owner))
        with self._transactions.write() as connection:
            return changes_one(connection, renewal.values(lease_expires_at=lease_expires_at))

    def note_steps(self, distillation_id: int, owner: str, num_steps: int) -> None:
        note = update(DISTILLATIONS).where(_is_held(distillation_id, owner))
        with self._transactions.write() as connection:
            connection.execute(note.values(num_claims=1, num_recorded=num_steps))

    def release_distillation(self, distillation_id: int, owner: str) -> bool:
        release = update(DISTILLATIONS).where(_is_held(distillation_id, owner)).values(_QUEUED)
        with self._transactions.write() as connection:
            return changes_one(connection, release)

    def unexported_distillations(self) -> list[Distillation]:
        query = (
            select(DISTILLATIONS.c.id)
            .outerjoin_from(DISTILLATIONS, EXPORTS, EXPORTS.c.id == DISTILLATIONS.c.id)
            .where(DISTILLATIONS.c.status == DistillationStatus.SUCCEEDED, EXPORTS.c.id.is_(None))
            .order_by(DISTILLATIONS.c.id)
        )
        with self._transactions.read() as connection:
            found = [_readable(connection, number) for number in connection.scalars(query)]
        return [each for each in found if each is not None]

    def add_export(self, export: Export) -> Export:
        values = {field.name: getattr(export, field.name) for field in fields(export)}
        this = _EXPORT.where(EXPORTS.c.id == export.id)
        with self._transactions.write() as connection:
            keep_job(connection, export.job_id)
            insert_once(connection, EXPORTS, values)
            return Export(**connection.execute(this).one()._mapping)

    def exports(self, job_id: str) -> list[Export]:
        query = _EXPORT.where(EXPORTS.c.job_id == job_id).order_by(EXPORTS.c.id.desc())
        with self._transactions.read() as connection:
            return [Export(**row._mapping) for row in connection.execute(query)]


def _readable(connection: Connection, number: int) -> Distillation | None:
    """None if its row cannot be read, which is nothing for the others to wait for."""
    with suppress(UnreadableError):
        query = rows.SELECT_DISTILLATIONS.where(DISTILLATIONS.c.id == number)
        return rows.to_distillation(connection.execute(query).one())
    return None


def _given_up(now: datetime, error: UnreadableError) -> dict[str, Any]:
    """The columns of a distillation that cannot be read, and so not be run."""
    failure = FailureReport(code=error.code, message=str(error))
    return {**_QUEUED, "status": DistillationStatus.FAILED, "finished_at": now, **rows.from_failure(failure)}


def _is_held(distillation_id: int, owner: str) -> ColumnElement[bool]:
    return and_(
        DISTILLATIONS.c.id == distillation_id,
        DISTILLATIONS.c.status == DistillationStatus.RUNNING,
        DISTILLATIONS.c.lease_owner == owner,
    )
