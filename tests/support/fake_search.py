"""A search on a real database with a fake backend."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import builders
from fake_backend import FakeBackend

from ose.coordinator.coordinator import Coordinator
from ose.core.architecture import Architecture
from ose.core.job import Candidate, Job, Trial, TrialStatus
from ose.core.progress import Silence
from ose.core.spec import JobSpec, SearchSpec
from ose.store.base import Store

TEACHER = builders.teacher_facts().architecture
SPEC = builders.job_spec(search=SearchSpec(steps=10, max_attempts=2))
MEMBERS = [member.architecture for member in SPEC.space.members(builders.COUNTS)]
"""The candidates' architectures, in the job's order."""


class Clock:
    """Stands still until it is told otherwise."""

    def __init__(self, start: datetime = builders.NOW) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


class Search:
    """One job in a store. Each `run` is a new coordinator, as a new process would have it."""

    def __init__(self, store: Store, spec: JobSpec = SPEC, job_id: str = "job-1", clock: Clock | None = None) -> None:
        self.store = store
        self.clock = clock or Clock()
        self.job_id = job_id
        store.add_job(builders.new_job(job_id, spec=spec, created_at=self.clock()))

    def run(self, backend: FakeBackend | None = None, **options: Any) -> Job:
        return self.coordinator(backend or FakeBackend(), **options).run(self.job_id)

    def coordinator(self, backend: FakeBackend, **options: Any) -> Coordinator:
        return Coordinator(self.store, lambda _: backend, Path("/nowhere"), Silence(), self.clock, **options)

    def candidates(self) -> list[Candidate]:
        return self.store.candidates(self.job_id)

    def candidate(self, architecture: Architecture) -> Candidate:
        return next(each for each in self.candidates() if each.architecture == architecture)

    def trials(self, candidate: Candidate) -> list[Trial]:
        return self.store.trials(self.job_id, candidate.number)

    def successes(self, candidate: Candidate) -> int:
        return sum(trial.status is TrialStatus.SUCCEEDED for trial in self.trials(candidate))


def spec(**search: Any) -> JobSpec:
    return replace(SPEC, search=replace(SPEC.search, **search))
