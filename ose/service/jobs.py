"""Submit a job, and say how it stands."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ose.core.job import Job, JobStatus
from ose.core.spec import JobSpec, TeacherSpec
from ose.errors import ConflictError
from ose.service.checks import check_job
from ose.service.corpora import inspect_corpus
from ose.service.job_file import spec_hash
from ose.service.memory import check_memory
from ose.service.teacher_source import locate_teacher
from ose.service.teachers import inspect_teacher
from ose.store.base import NewJob, Store


def submit_job(store: Store, spec: JobSpec, now: Callable[[], datetime]) -> Job:
    """Check everything that can be checked without running anything, freeze it, and queue the job.

    Raises:
        InvalidInputError: Teacher, corpus, space or a combination of them cannot be used.
        StoreError: The database cannot be written.
    """
    return store.add_job(checked_job(spec, now))


def checked_job(
    spec: JobSpec, now: Callable[[], datetime], locate: Callable[[TeacherSpec], Path] = locate_teacher
) -> NewJob:
    """A job whose parts were checked and frozen, under a new id.

    Raises:
        InvalidInputError: Teacher, corpus, space or a combination of them cannot be used, or takes too much memory.
    """
    teacher = inspect_teacher(spec.teacher, locate)
    check_job(spec, teacher)
    corpus = inspect_corpus(spec.corpus)
    check_memory(spec, teacher, corpus)
    return NewJob(
        id=secrets.token_hex(4),
        spec=spec,
        spec_hash=spec_hash(spec),
        teacher=teacher,
        corpus=corpus,
        created_at=now(),
    )


def cancel_job(store: Store, job_id: str, now: Callable[[], datetime]) -> Job:
    """Stop a job: a running one ends within seconds of its coordinator's next look.

    Raises:
        NotFoundError: No such job.
        ConflictError: It has ended already.
    """
    job = store.job(job_id)
    if not store.cancel_job(job.id, now()):
        raise ConflictError(f"job {job.id} has ended already ({job.status})")
    return store.job(job.id)


def resume_job(store: Store, job_id: str) -> Job:
    """Queue a stopped job again; one that waits or runs is left as it is.

    Raises:
        NotFoundError: No such job.
        ConflictError: It has succeeded already.
    """
    job = store.job(job_id)
    if job.status is JobStatus.SUCCEEDED:
        raise ConflictError(f"job {job.id} has succeeded already; see `ose leaderboard {job.id}`")
    store.requeue_job(job.id)
    return store.job(job.id)


def jobs_json(store: Store, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Jobs under their JSON names; the candidates of all of them are counted at once."""
    counts = store.count_candidates_of([job.id for job in jobs])
    return [_json(job, counts.get(job.id, {})) for job in jobs]


def job_json(store: Store, job: Job) -> dict[str, Any]:
    """A job under its JSON names, with the counts of its candidates."""
    return _json(job, store.count_candidates(job.id))


def _json(job: Job, candidates: dict[str, int]) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "candidates": candidates,
        "space_size": job.spec.space.count(job.teacher.architecture.num_hidden_layers),
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "error": {"code": job.failure.code, "message": job.failure.message} if job.failure else None,
        "spec": asdict(job.spec),
        "spec_hash": job.spec_hash,
        "teacher": asdict(job.teacher),
        "corpus": asdict(job.corpus),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
