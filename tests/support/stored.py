"""Moments, and what the tests of stores do over and over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import builders
from builders import NOW

from ose.core.job import Candidate, Job, JobStatus, Trial
from ose.core.measurement import Metric
from ose.core.reference import Reference
from ose.core.score import Score
from ose.store.base import Store
from ose.store.migrate import MIGRATIONS

SOON = NOW + timedelta(minutes=1)
LATER = NOW + timedelta(minutes=5)


def up_to(revision: str, folder: Path) -> Path:
    """A copy of the migrations without those that came later."""
    shutil.copytree(MIGRATIONS, folder)
    for file in folder.glob("versions/[0-9]*.py"):
        if file.stem.partition("_")[0] > revision:
            file.unlink()
    return folder


def claimed(store: Store, job_id: str = "job-1") -> Job:
    """A job that `owner` runs."""
    store.add_job(builders.new_job(job_id))
    job = store.claim_job(job_id, "owner", NOW, SOON)
    assert job is not None
    return job


def add_candidates(store: Store) -> None:
    """One candidate of a job that is claimed for it."""
    store.claim_job("job-1", "owner", NOW, SOON)
    store.add_candidates("job-1", "owner", [builders.new_candidate()])


def put_classified(
    store: Store,
    references: Sequence[Reference],
    *,
    teacher: Mapping[str, Metric],
    student: Mapping[str, Metric],
    task: str = "text_classification",
) -> None:
    """A running job with one candidate that was trained, and what it is held against."""
    store.add_job(builders.new_job("job-1", teacher=builders.teacher_facts(task=task)))
    store.claim_job("job-1", "owner", NOW, SOON)
    latency = store.add_latency("shape", "protocol", "device", builders.latency(), NOW)
    quality = builders.teacher_quality(metrics=teacher)
    store.record_teacher("job-1", "owner", latency_id=latency.id, quality=quality)
    [candidate] = store.add_candidates("job-1", "owner", [builders.new_candidate()])
    store.attach_latency("job-1", "owner", [candidate.id], latency.id)
    start_trial(store, candidate)
    store.record_success("trial-1", builders.evaluation(metrics=student), Score(value=0.2, stderr=0.0), NOW)
    for reference in references:
        store.add_reference("job-1", "owner", reference, NOW)


def current(store: Store, candidate: Candidate) -> Candidate:
    return store.candidate(candidate.job_id, candidate.number)


def start_trial(store: Store, candidate: Candidate, trial_id: str = "trial-1", now: datetime = NOW) -> Trial:
    """Open a trial of a candidate under whoever runs its job."""
    owner = store.job(candidate.job_id).lease_owner
    return store.open_trial(candidate.job_id, owner or "nobody", candidate.id, trial_id, "worker", now)


def end_candidate(store: Store, candidate: Candidate, how: str) -> None:
    if how == "rejected":
        store.reject_candidate(candidate.job_id, "owner", candidate.id, "too large")
        return
    start_trial(store, candidate)
    if how == "succeeded":
        store.record_success("trial-1", builders.evaluation(), Score(value=0.2, stderr=0.0), NOW)
    else:
        store.record_failure("trial-1", builders.failure(), NOW, is_final=True)


def take_over(store: Store, how: str) -> None:
    """Have `other` run job-1 instead of `owner`."""
    if how == "released":
        store.release_job("job-1", "owner")
    elif how == "cancelled":
        store.cancel_job("job-1", NOW)
    elif how == "finished":
        store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, builders.failure())
    now = LATER if how == "expired" else NOW
    assert store.claim_job("job-1", "other", now, LATER, evict="owner" if how == "evicted" else None)
