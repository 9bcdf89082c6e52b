"""A job's candidates as an optuna study, for optuna-dashboard and optuna's own analyses.

It is a copy. Nothing is ever read back from it, so it may be incomplete, or be deleted, at any time.
"""

from __future__ import annotations

import warnings
from contextlib import closing
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState, create_trial

from ose.core.job import Candidate, CandidateStatus, Job
from ose.errors import StoreError
from ose.store.base import Store
from ose.strategies.grid import Grid
from ose.strategies.optuna import distributions, new_study

_NUMBER = "candidate"
"""The user attribute that says which candidate a trial is."""


def record_study(store: Store, job: Job) -> str:
    """Add what has ended to the job's study. Repeated, it adds what is new.

    Returns:
        The study's name: the job's, and its id.

    Raises:
        StoreError: It could not be written.
    """
    url = store.studies_url()
    try:
        with closing(_Storage(url)) as storage:
            return _record(storage, store, job)
    except Exception as error:  # whatever a copy runs into must have one name
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise StoreError(f"the study of job {job.id} cannot be written: {reason}") from error


class _Storage(RDBStorage):
    def __init__(self, url: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        super().__init__(url, engine_kwargs={"connect_args": {"timeout": 30}} if url.startswith("sqlite") else None)

    def close(self) -> None:
        self.remove_session()
        self.engine.dispose()


def _record(storage: RDBStorage, store: Store, job: Job) -> str:
    study = new_study(job.spec.search, storage=storage, study_name=f"{job.name} {job.id}")
    known = {trial.user_attrs[_NUMBER] for trial in study.get_trials(deepcopy=False)}
    if not known:
        _name_metrics(study, job)
    grid = Grid(job.spec.space, job.spec.search.hyperparameters, job.teacher.architecture.num_hidden_layers)
    for candidate in store.candidates(job.id):
        if candidate.status.is_terminal and candidate.number not in known:
            study.add_trial(_trial(job, candidate, grid))
    return study.study_name


def _name_metrics(study: Study, job: Job) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study.set_metric_names(["latency_p50_ms", "loss_nats"] if len(study.directions) > 1 else ["score"])


def _trial(job: Job, candidate: Candidate, grid: Grid) -> FrozenTrial:
    values = _values(candidate, is_front=job.spec.search.sampler == "nsgaii")
    return create_trial(
        state=TrialState.COMPLETE if values else TrialState.FAIL,
        values=values,
        params=dict(grid.values_of(candidate)),
        distributions=distributions(grid),
        user_attrs=_attributes(candidate),
    )


def _values(candidate: Candidate, *, is_front: bool) -> list[float] | None:
    if candidate.status is not CandidateStatus.SUCCEEDED or candidate.evaluation is None or candidate.latency is None:
        return None
    if is_front:
        return [candidate.latency.p50_ms, candidate.evaluation.loss_nats]
    return None if candidate.score is None else [candidate.score]


def _attributes(candidate: Candidate) -> dict[str, Any]:
    return {
        _NUMBER: candidate.number,
        "status": candidate.status,
        "architecture": str(candidate.architecture),
        "num_parameters": candidate.num_parameters,
        "latency_p50_ms": candidate.latency.p50_ms if candidate.latency else None,
        "loss_nats": candidate.evaluation.loss_nats if candidate.evaluation else None,
        "rejection": candidate.rejection,
        "failure": candidate.failure.message if candidate.failure else None,
    }
