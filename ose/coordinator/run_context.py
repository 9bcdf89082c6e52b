"""What all stages of one run share."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Self

from ose.coordinator.backend import Backend
from ose.coordinator.cache_keys import CALIBRATIONS, SearchDataPart, calibration_key, search_data_parts
from ose.core.failures import JobInterruptedError
from ose.core.job import Job
from ose.core.messages import Event
from ose.core.progress import Progress
from ose.store.base import Store

_POLL_S = 1.0
"""How long a lost lease may go unnoticed while workers are busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One job on one backend.

    Attributes:
        owner: The coordinator, as the store knows it.
        artifacts: Where search data, calibrations and checkpoints lie, shared with the workers.
        is_lost: Says whether the job is no longer ours, or soon will not be.
        now: The clock.
    """

    store: Store
    backend: Backend
    progress: Progress
    job: Job
    owner: str
    artifacts: Path
    is_lost: Callable[[], bool]
    now: Callable[[], datetime]

    @property
    def folder(self) -> Path:
        """The job's search data, with the held-out targets."""
        return self.data_folder(search_data_parts(self.job)[0])

    def data_folder(self, part: SearchDataPart) -> Path:
        """A part of the job's search data."""
        return self.artifacts / "search-data" / part.key

    @property
    def calibration_folder(self) -> Path:
        """What is measured of the job's teacher."""
        return self.artifacts / CALIBRATIONS / calibration_key(self.job)

    @property
    def checkpoint_folder(self) -> Path:
        """Weights of candidates, of this job and of those that train on the same data."""
        return self.artifacts / "checkpoints" / search_data_parts(self.job)[0].key

    def refreshed(self) -> Self:
        """The same with the job as the store has it now."""
        return replace(self, job=self.store.job(self.job.id))

    def next_event(self) -> Event:
        """Wait for the next ended request.

        Raises:
            JobInterruptedError: The job is no longer ours.
        """
        while True:
            self.check_lease()
            event = self.backend.next_event(_POLL_S)
            if event is not None:
                return event

    def check_lease(self) -> None:
        """Stop here if the job is no longer ours.

        Raises:
            JobInterruptedError: It is not.
        """
        if self.is_lost():
            raise JobInterruptedError(f"job {self.job.id} was cancelled, taken over or handed back")


def new_id() -> str:
    """Names a request or a trial."""
    return uuid.uuid4().hex
