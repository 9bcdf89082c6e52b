"""What is stored of an exception, and the two ways in which a job's run ends early."""

from __future__ import annotations

import traceback

from ose.core.job import FailureReport
from ose.core.shown import storable

_MESSAGE, _TRACEBACK = 4_000, 20_000
"""Characters that are kept: every list of jobs reads the first, and a library's message may hold its whole input."""


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
        message=_kept(str(error), _MESSAGE) or type(error).__name__,
        traceback=_kept("".join(traceback.format_exception(error)), _TRACEBACK),
        is_retryable=getattr(error, "is_retryable", False),
    )


def _kept(text: str, most: int) -> str:
    """As much of a text as is read, its beginning and its end, so that any database can hold it."""
    half = most // 2
    return storable(text if len(text) <= most else f"{text[:half]} ... {text[-half:]}")
