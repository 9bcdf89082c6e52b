"""One candidate with everything that was measured of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ose.core.former_names import former_figures, former_phases
from ose.core.measurement import Evaluation
from ose.core.plain import plain
from ose.errors import NotFoundError
from ose.leaderboard.confidence import read_comparison
from ose.leaderboard.ranking import read_ranking
from ose.leaderboard.read import to_row
from ose.leaderboard.references import read_references
from ose.store.base import Store


def candidate_json(store: Store, job_id: str, number: int) -> dict[str, Any]:
    """A candidate's row, with the loss of each step and held-out sequence, each latency sample, and its trials.

    Raises:
        NotFoundError: No such job, or no such candidate of it.
    """
    job = store.job(job_id)
    candidate = store.candidate(job.id, number)
    ranking = read_ranking(store, job, job.spec.score)
    row = next(iter(store.candidate_rows(job.id, [number])), None)
    if row is None:
        raise NotFoundError(f"job {job.id} was deleted at this moment")
    return {
        "job": job.id,
        **plain(to_row(row, job, ranking, read_comparison(store, job, ranking), read_references(store, job))),
        "earlier_phases": candidate.earlier_phases,
        **former_phases(candidate.earlier_phases),
        "continues": candidate.continues,
        "evaluation": _evaluation(candidate.evaluation) if candidate.evaluation else None,
        "latency": asdict(candidate.latency) if candidate.latency else None,
        "trials": [_trial(asdict(trial)) for trial in store.trials(job.id, number)],
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {**asdict(evaluation), **former_figures(evaluation.metrics)}


def _trial(trial: dict[str, Any]) -> dict[str, Any]:
    """A trial without what only the operator should read: the traceback, and the database's own numbers."""
    failure = trial["failure"]
    error = {"code": failure["code"], "message": failure["message"]} if failure else None
    return {name: trial[name] for name in ("id", "attempt", "status", "started_at", "finished_at")} | {"error": error}
