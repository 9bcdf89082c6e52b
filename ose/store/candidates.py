"""Candidates and their trials on SQL."""
# ruff: noqa: D102 - ose.store.base describes the methods

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, String, and_, bindparam, insert, literal, select, update

from ose.core.job import Candidate, CandidateStatus, FailureReport, Trial, TrialStatus
from ose.core.measurement import Evaluation
from ose.core.score import Score
from ose.errors import ConflictError, NotFoundError
from ose.store import rows
from ose.store.change_sequence import writers_mark
from ose.store.jobs import hold_job, keep_job_from_others
from ose.store.new_rows import NewCandidate, NewLatency
from ose.store.tables import CANDIDATES, JOBS, LATENCIES, TRIALS
from ose.store.transactions import Transactions

_CONTINUED = (CANDIDATES.c.job_id, CANDIDATES.c.continues)


def _is_pending(job_id: ColumnElement[str], candidate_id: ColumnElement[int]) -> ColumnElement[bool]:
    is_it = and_(CANDIDATES.c.job_id == job_id, CANDIDATES.c.id == candidate_id)
    return and_(is_it, CANDIDATES.c.status == CandidateStatus.PENDING)


# What a search says twice for each candidate is put together once: that took as long as saying it.
_OF_JOB, _OF = bindparam("of_job", type_=String), bindparam("of", type_=Integer)
_ONE = rows.SELECT_CANDIDATES.where(CANDIDATES.c.job_id == _OF_JOB, CANDIDATES.c.number == _OF)
_LATENCY = select(LATENCIES.c.measurement).where(LATENCIES.c.id == _OF)
_ATTACH = update(CANDIDATES).where(CANDIDATES.c.job_id == _OF_JOB, CANDIDATES.c.id == _OF)
_IS_WAITING = _is_pending(_OF_JOB, _OF)
_START = (
    update(CANDIDATES)
    .values(status=CandidateStatus.RUNNING, num_attempts=CANDIDATES.c.num_attempts + 1)
    .where(_IS_WAITING)
    .returning(CANDIDATES.c.num_attempts)
)
_REJECT = update(CANDIDATES).where(_IS_WAITING)
_ADD_TRIAL = insert(TRIALS)
_END_TRIAL = (
    update(TRIALS)
    .where(TRIALS.c.id == bindparam("of"), TRIALS.c.status == TrialStatus.RUNNING)
    .returning(TRIALS.c.candidate_id)
)
_END_CANDIDATE = update(CANDIDATES).where(CANDIDATES.c.id == bindparam("of"))
_SUPERSEDE = (
    update(CANDIDATES)
    .where(CANDIDATES.c.job_id == _OF_JOB, CANDIDATES.c.number == _OF)
    .values(status=CandidateStatus.SUPERSEDED)
)


class SqlCandidates:
    """The part of a Store that is about candidates and trials."""

    _transactions: Transactions

    def add_candidates(self, job_id: str, owner: str, candidates: Sequence[NewCandidate]) -> list[Candidate]:
        if not candidates:
            return []
        numbers = [candidate.number for candidate in candidates]
        is_among = and_(CANDIDATES.c.job_id == job_id, CANDIDATES.c.number.between(min(numbers), max(numbers)))
        with self._transactions.write() as connection:
            hold_job(connection, job_id, owner)
            present = set(connection.scalars(select(CANDIDATES.c.number).where(is_among)))
            mark = connection.scalar(select(writers_mark(literal(job_id))))
            added = [value for value in candidates if value.number not in present]
            new = [{**rows.from_candidate(job_id, value), "changed": mark} for value in added]
            if new:
                connection.execute(insert(CANDIDATES), new)
            stored = map(rows.to_candidate, connection.execute(rows.SELECT_CANDIDATES.where(is_among)))
            by_number = {candidate.number: candidate for candidate in stored}
        return [by_number[number] for number in numbers]

    def candidates(self, job_id: str, numbers: Sequence[int] | None = None) -> list[Candidate]:
        query = rows.SELECT_CANDIDATES.where(CANDIDATES.c.job_id == job_id)
        query = query if numbers is None else query.where(CANDIDATES.c.number.in_(numbers))
        with self._transactions.read() as connection:
            return [rows.to_candidate(row) for row in connection.execute(query)]

    def candidate(self, job_id: str, number: int) -> Candidate:
        with self._transactions.read() as connection:
            row = connection.execute(_ONE, {"of_job": job_id, "of": number}).one_or_none()
        if row is None:
            raise NotFoundError(f"job {job_id} has no candidate {number}; `ose leaderboard {job_id}` shows them")
        return rows.to_candidate(row)

    def reject_candidate(self, job_id: str, owner: str, candidate_id: int, reason: str) -> None:
        values = {"status": CandidateStatus.REJECTED, "rejection": reason}
        with self._transactions.write() as connection:
            hold_job(connection, job_id, owner)
            connection.execute(_REJECT, {"of_job": job_id, "of": candidate_id, **values})

    def attach_latency(self, job_id: str, owner: str, candidate_ids: Sequence[int], latency_id: int) -> None:
        with self._transactions.write() as connection:
            hold_job(connection, job_id, owner)
            if candidate_ids:
                figures = rows.from_latency(connection.execute(_LATENCY, {"of": latency_id}).scalar_one())
                values = {"of_job": job_id, "latency_id": latency_id, **figures}
                connection.execute(_ATTACH, [{"of": candidate_id, **values} for candidate_id in candidate_ids])

    def replace_latencies(
        self, job_id: str, owner: str, changes: Sequence[NewLatency], teacher_latency_id: int | None = None
    ) -> None:
        with self._transactions.write() as connection:
            keep_job_from_others(connection, job_id, owner)
            if teacher_latency_id is not None:
                is_it = JOBS.c.id == job_id
                connection.execute(update(JOBS).where(is_it).values(teacher_latency_id=teacher_latency_id))
            for change in changes:
                values = self._changed(connection, change)
                if values:
                    connection.execute(_ATTACH, {"of": change.candidate_id, "of_job": job_id, **values})

    def _changed(self, connection: Connection, change: NewLatency) -> dict[str, Any]:
        values = {} if change.score is None else rows.from_score(change.score)
        if change.latency_id is None:
            return values
        measurement = connection.execute(_LATENCY, {"of": change.latency_id}).scalar_one()
        return {**values, "latency_id": change.latency_id, **rows.from_latency(measurement)}

    def open_trial(
        self, job_id: str, owner: str, candidate_id: int, trial_id: str, worker: str, now: datetime
    ) -> Trial:
        with self._transactions.write() as connection:
            hold_job(connection, job_id, owner)
            attempt = connection.scalar(_START, {"of_job": job_id, "of": candidate_id})
            if attempt is None:
                raise ConflictError(f"candidate {candidate_id} is not PENDING in job {job_id}; it takes no trial")
            trial = Trial(
                id=trial_id,
                candidate_id=candidate_id,
                attempt=attempt,
                status=TrialStatus.RUNNING,
                worker=worker,
                started_at=now,
            )
            connection.execute(_ADD_TRIAL, rows.from_trial(trial))
            return trial

    def record_success(
        self, trial_id: str, evaluation: Evaluation, score: Score | None, now: datetime, rejection: str | None = None
    ) -> bool:
        ended = {"status": TrialStatus.SUCCEEDED, "finished_at": now, "evaluation": evaluation}
        outcome = {
            "status": CandidateStatus.REJECTED if rejection else CandidateStatus.SUCCEEDED,
            "rejection": rejection,
            **rows.from_evaluation(evaluation),
            **rows.from_score(score),
        }
        return self._end_trial(trial_id, ended, outcome)

    def record_failure(self, trial_id: str, failure: FailureReport, now: datetime, *, is_final: bool) -> bool:
        columns = rows.from_failure(failure)
        ended = {"status": TrialStatus.FAILED, "finished_at": now, **columns}
        outcome = {"status": CandidateStatus.FAILED, **columns} if is_final else {"status": CandidateStatus.PENDING}
        return self._end_trial(trial_id, ended, outcome)

    def _end_trial(self, trial_id: str, ended: dict[str, Any], outcome: dict[str, Any]) -> bool:
        """End a RUNNING trial and with it, in the same transaction, its candidate's run.

        A candidate is RUNNING exactly as long as one trial of it is, so a second result has no trial to come by. And
        a trial is RUNNING only under the claim that opened it, so it does not matter who reports.
        """
        with self._transactions.write() as connection:
            candidate_id = connection.scalar(_END_TRIAL, {"of": trial_id, **ended})
            if candidate_id is None:
                return False
            change = _END_CANDIDATE.returning(*_CONTINUED)
            job_id, continued = connection.execute(change, {"of": candidate_id, **outcome}).one()
            if continued is not None and outcome["status"] is CandidateStatus.SUCCEEDED:
                connection.execute(_SUPERSEDE, {"of_job": job_id, "of": continued})
            return True

    def trials(self, job_id: str, number: int) -> list[Trial]:
        query = (
            rows.SELECT_TRIALS.join_from(TRIALS, CANDIDATES)
            .where(CANDIDATES.c.job_id == job_id, CANDIDATES.c.number == number)
            .order_by(TRIALS.c.started_at, TRIALS.c.attempt)
        )
        with self._transactions.read() as connection:
            return [rows.to_trial(row) for row in connection.execute(query)]
