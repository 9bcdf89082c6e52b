"""Models that are to be timed, as their runtime needs them: made by a worker one at a time, and gone once measured."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ose.coordinator.run_context import RunContext, new_id
from ose.core.job import FailureReport
from ose.core.messages import RequestFailed, SavedModelRequest, TimedModel
from ose.errors import EvaluationError, error_of
from ose.runtimes.registry import runtime_package

SAVED_MODELS = "saved-models"
"""Their folder below the artifacts, with one of each job that measures. Weights may be in them, so none is kept."""


@contextmanager
def saved_model(context: RunContext, model: TimedModel) -> Iterator[Path]:
    """Have a worker save a model, and remove it in the end. No other request may be queued or running.

    Raises:
        EvaluationError: It could not be built or saved.
        JobInterruptedError: The job is no longer ours.
    """
    folder = _job_folder(context) / new_id()
    protocol = context.job.spec.latency
    request = SavedModelRequest(
        id=folder.name,
        folder=str(folder),
        model=model,
        runtime=runtime_package(protocol.runtime),
        precision=protocol.dtype,
    )
    try:
        _run(context, request)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # not empty, or never made
            folder.parent.rmdir()


def remove_saved_models(context: RunContext) -> None:
    """Remove what a coordinator of this job has left that was killed in the middle of a measurement.

    Raises:
        JobInterruptedError: The job is no longer ours, and neither is what lies there.
    """
    context.check_lease()
    shutil.rmtree(_job_folder(context), ignore_errors=True)


def _job_folder(context: RunContext) -> Path:
    return context.artifacts / SAVED_MODELS / context.job.id


def _run(context: RunContext, request: SavedModelRequest) -> None:
    context.backend.submit(request)
    event = context.next_event()
    if isinstance(event, RequestFailed):
        raise _error_of(event.failure)


def _error_of(failure: FailureReport) -> EvaluationError:
    """What went wrong on the worker, as a failure of the one shape."""
    message = f"the model to be timed could not be saved: {failure.message}"
    error = error_of(failure.code, message, EvaluationError)
    return error if isinstance(error, EvaluationError) else EvaluationError(message)
