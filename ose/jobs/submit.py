"""Submit a job, and say how it stands."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ose.access.ownership import job_quota
from ose.core.job import CorpusFacts, Job, JobStatus, UnreadableJob
from ose.core.plain import plain
from ose.core.spec import JobSpec, TeacherSpec
from ose.errors import ConflictError, UnreadableError
from ose.families.coverage import notes_of
from ose.inputs.consistency import check_job
from ose.inputs.corpora import inspect_corpus
from ose.inputs.items import inspect_items
from ose.inputs.job_file import spec_hash
from ose.inputs.job_memory import check_memory
from ose.inputs.recipes import with_recipe_of
from ose.inputs.settled import held_out_items, settled
from ose.inputs.space_size import known_size
from ose.inputs.teacher_source import locate_teacher
from ose.inputs.teachers import inspect_teacher
from ose.inputs.text_survey import inspect_texts
from ose.inputs.texts import require_name, require_storable
from ose.store.base import Store
from ose.store.new_rows import NewJob
from ose.tasks.registry import task_rules
from ose.tasks.rules import TaskRules
from ose.tasks.teacher_folder import TeacherFolder


def submit_job(store: Store, spec: JobSpec, now: Callable[[], datetime]) -> Job:
    """Check everything that can be checked without running anything, freeze it, and queue the job.

    Raises:
        InvalidInputError: Teacher, corpus, space or a combination of them cannot be used.
        StoreError: The database cannot be written.
    """
    return store.add_job(checked_job(spec, now))


def checked_job(
    spec: JobSpec,
    now: Callable[[], datetime],
    locate: Callable[[TeacherSpec], TeacherFolder] = locate_teacher,
    root: Path | None = None,
) -> NewJob:
    """A job whose parts were checked and frozen, under a new id.

    Args:
        spec: What is asked for.
        now: The clock.
        locate: Finds the teacher.
        root: Folder that no text may lead out of; None if any file may be named.

    Raises:
        InvalidInputError: A name, teacher, corpus, space or a combination of them cannot be used, or takes too much
            memory.
    """
    require_name(spec.name, "name")
    require_name(spec.space.name, "space.name")
    require_storable(asdict(spec), "job")
    folder = locate(spec.teacher)
    teacher = inspect_teacher(spec.teacher, lambda _: folder, spec.task)
    rules = task_rules(teacher.task)
    spec = with_recipe_of(rules, spec)
    check_job(spec, teacher)
    spec, corpus = settled_parts(spec, rules, folder, root)
    check_memory(spec, teacher, corpus)
    return NewJob(
        id=secrets.token_hex(4),
        spec=spec,
        spec_hash=spec_hash(spec),
        teacher=teacher,
        corpus=corpus,
        created_at=now(),
        space_size=spec.space.count(teacher.architecture.num_hidden_layers),
    )


def settled_parts(
    spec: JobSpec, rules: TaskRules, folder: TeacherFolder, root: Path | None = None
) -> tuple[JobSpec, CorpusFacts]:
    """A job in which nothing is left open, and what its text is.

    Args:
        spec: The job.
        rules: Of its task.
        folder: Its teacher's.
        root: Folder that no text may lead out of; None if any file may be named.

    Raises:
        CorpusError: The text cannot be used, or not with this teacher.
        TeacherError: The teacher's tokenizer or labels cannot be used.
    """
    corpus = inspect_corpus(spec.corpus, root, rows=rules.reads_rows)
    if rules.reads_rows:
        num_held_out = held_out_items(spec, rules)
        items = inspect_items(corpus, spec.corpus, folder, rules, num_held_out, spec.search.seed)
        corpus = replace(corpus, items=items)
    corpus = replace(corpus, texts=inspect_texts(corpus, spec.corpus, folder, rows=rules.reads_rows))
    return settled(spec, rules, corpus), corpus


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
        QuotaError: As many jobs of its owner wait as may.
    """
    job = store.job(job_id)
    if job.status is JobStatus.SUCCEEDED:
        raise ConflictError(f"job {job.id} has succeeded already; see `ose leaderboard {job.id}`")
    store.requeue_job(job.id, job_quota().max_queued)
    return store.job(job.id)


UNREADABLE = "UNREADABLE"
"""In the place of a status, where a job's row cannot be read."""


def jobs_json(store: Store, jobs: Sequence[Job | UnreadableJob]) -> list[dict[str, Any]]:
    """Jobs under their JSON names; the candidates of all of them are counted at once."""
    counts = store.count_candidates_of([job.id for job in jobs])
    return [
        _json(job, counts.get(job.id, {})) if isinstance(job, Job) else _unreadable_json(job, counts.get(job.id, {}))
        for job in jobs
    ]


def job_json(store: Store, job: Job) -> dict[str, Any]:
    """A job under its JSON names, with the counts of its candidates."""
    return _json(job, store.count_candidates(job.id))


def _json(job: Job, candidates: dict[str, int]) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "owner": asdict(job.owner) if job.owner else None,
        "candidates": candidates,
        "space_size": _space_size(job),
        "created_at": _iso(job.created_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "error": {"code": job.failure.code, "message": job.failure.message} if job.failure else None,
        "spec": plain(job.spec),
        "spec_hash": job.spec_hash,
        "teacher": plain(job.teacher),
        "corpus": asdict(job.corpus),
        "notes": list(notes_of(job)),
    }


def _space_size(job: Job) -> int | None:
    if job.space_size is not None:
        return job.space_size
    return known_size(job.spec.space, job.teacher.architecture.num_hidden_layers)


def _unreadable_json(job: UnreadableJob, candidates: dict[str, int]) -> dict[str, Any]:
    """The same names; what is not known is null, and the error says why."""
    unknown = ("owner", "space_size", "started_at", "finished_at", "spec", "spec_hash", "teacher", "corpus", "notes")
    return {
        "id": job.id,
        "name": job.name,
        "status": UNREADABLE,
        "candidates": candidates,
        "created_at": _iso(job.created_at),
        "error": {"code": UnreadableError.code, "message": job.reason},
        **dict.fromkeys(unknown),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
