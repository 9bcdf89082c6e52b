"""Trials as the coordinator keeps them: opened, and ended exactly once."""

from __future__ import annotations

from ose.coordinator.run_context import RunContext, new_id
from ose.core.failures import JobInterruptedError
from ose.core.job import Candidate, FailureReport, Trial
from ose.core.measurement import Evaluation
from ose.core.score import Score


def open_trial(context: RunContext, candidate: Candidate, worker: str) -> Trial:
    """Start an attempt at a candidate.

    Raises:
        JobInterruptedError: The job is no longer ours.
        ConflictError: The store knows that it is not, or somebody else has changed the candidate.
    """
    context.check_lease()
    return context.store.open_trial(context.job.id, context.owner, candidate.id, new_id(), worker, context.now())


def record_failure(context: RunContext, trial: Trial, failure: FailureReport) -> bool:
    """End a trial that failed. True if the candidate is to be tried again.

    Raises:
        JobInterruptedError: The trial was ended by somebody else.
    """
    is_final = not failure.is_retryable or trial.attempt >= context.job.spec.search.max_attempts
    _expect(context.store.record_failure(trial.id, failure, context.now(), is_final=is_final), trial)
    return not is_final


def record_success(
    context: RunContext, trial: Trial, evaluation: Evaluation, score: Score, rejection: str | None
) -> None:
    """End a trial with what it found out.

    Raises:
        JobInterruptedError: The trial was ended by somebody else.
    """
    _expect(context.store.record_success(trial.id, evaluation, score, context.now(), rejection), trial)


def _expect(is_recorded: bool, trial: Trial) -> None:
    if not is_recorded:
        raise JobInterruptedError(f"trial {trial.id} is no longer ours")
