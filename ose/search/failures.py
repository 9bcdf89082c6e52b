"""What is stored of an exception, and the two ways in which a run ends early inside this package."""

from __future__ import annotations

import traceback

from ose.core.job import FailureReport


class JobInterruptedError(Exception):
    """The job was cancelled, or taken over, or is to be handed back. It never leaves the coordinator."""


class StageFailedError(Exception):
    """A stage that every candidate depends on failed on a worker. It never leaves the coordinator."""

    def __init__(self, failure: FailureReport) -> None:
        super().__init__(failure.message)
        self.failure = failure


def failure_report(error: BaseException) -> FailureReport:
    """What is stored of an exception; of a failed stage, what its worker reported."""
    if isinstance(error, StageFailedError):
        return error.failure
    return FailureReport(
        code=getattr(error, "code", "error"),
        message=str(error) or type(error).__name__,
        traceback="".join(traceback.format_exception(error)),
        is_retryable=getattr(error, "is_retryable", False),
    )
