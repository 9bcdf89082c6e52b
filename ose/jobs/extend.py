"""Train the leaders of a job further, as a job of their own."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ose.core.job import Candidate, CandidateStatus, Job
from ose.core.objectives import judged, scale_of
from ose.core.significance import score_difference
from ose.core.spec import ExtendedCandidate, Extension, JobSpec
from ose.errors import ConflictError, InvalidInputError
from ose.inputs.consistency import check_job
from ose.inputs.corpora import inspect_corpus
from ose.inputs.job_file import spec_hash
from ose.inputs.job_memory import check_memory
from ose.store.base import Store
from ose.store.new_rows import NewJob
from ose.tasks.registry import task_rules
from ose.tasks.teacher_folder import TeacherFolder

FEWEST_LEADERS, MOST_LEADERS = 2, 8
"""Unless a number is asked for: one alone has nothing to be compared with, and where many are alike a longer training
of all of them is a search of its own."""


def extended_job(store: Store, job_id: str, steps: int, top: int | None, now: Callable[[], datetime]) -> NewJob:
    """A job that trains the leaders of another one further, checked and under a new id.

    It has the other one's teacher, text, seed and rules, so its candidates can be compared among each other; all its
    rows have the same number of steps.

    Args:
        store: The database.
        job_id: The job to go on with; it must have ended.
        steps: Training steps in all, more than it had.
        top: How many of its best candidates; None takes those of the board's first group.
        now: The clock.

    Raises:
        NotFoundError: No such job.
        ConflictError: It has not ended, nothing has passed, or its teacher or text is not what it was.
        InvalidInputError: The steps are not more.
    """
    job = store.job(job_id)
    if not job.status.is_terminal:
        raise ConflictError(f"job {job.id} is {job.status.lower()}; extend it when it has ended, or cancel it first")
    if top is not None and top < 1:
        raise InvalidInputError(f"top must be at least 1, not {top}")
    spec = _extended_spec(job, steps, leaders(store, job, top))
    _check_unchanged(job)
    check_job(spec, job.teacher)
    check_memory(spec, job.teacher, job.corpus)
    return NewJob(
        id=secrets.token_hex(4),
        spec=spec,
        spec_hash=spec_hash(spec),
        teacher=job.teacher,
        corpus=job.corpus,
        created_at=now(),
        space_size=job.space_size,
    )


def leaders(store: Store, job: Job, top: int | None = None) -> list[Candidate]:
    """The best candidates by the job's own score, best first: `top` of them, or all that may be the best.

    These are the first group of the leaderboard, between FEWEST_LEADERS and MOST_LEADERS of it.

    Raises:
        ConflictError: Nothing has passed.
    """
    rows = store.candidate_page(job.id, order="score", limit=top or MOST_LEADERS).rows
    passed = [store.candidate(job.id, row.number) for row in rows if row.status is CandidateStatus.SUCCEEDED]
    if not passed:
        raise ConflictError(f"no candidate of job {job.id} has been scored")
    if top is not None:
        return passed
    scale = scale_of(job)
    best, *rest = [known for each in passed if (known := judged(each, scale)) is not None]
    may_be_best = [True, *(not score_difference(each, best).is_significant for each in rest)]
    return [
        candidate
        for place, (candidate, is_tied) in enumerate(zip(passed, may_be_best, strict=True))
        if place < FEWEST_LEADERS or is_tied
    ]


def _extended_spec(job: Job, steps: int, candidates: list[Candidate]) -> JobSpec:
    extension = Extension(
        job=job.id,
        candidates=tuple(
            ExtendedCandidate(
                candidate=each.number,
                architecture=each.architecture,
                hyperparameters=each.hyperparameters,
                layers=each.layers,
                phases=each.phases,
            )
            for each in candidates
        ),
        data_steps=job.spec.data_steps,
    )
    if steps <= extension.num_steps:
        raise InvalidInputError(f"job {job.id} has {extension.num_steps} steps already; give --steps more than that")
    return replace(
        job.spec,
        name=f"{job.name} to {steps} steps",
        search=replace(job.spec.search, steps=steps),
        extends=extension,
    )


def _check_unchanged(job: Job) -> None:
    """More text is drawn from the files as they are now: only of equal files is it the same text."""
    root = None if job.corpus.root is None else Path(job.corpus.root)
    rows, tables = task_rules(job.teacher.task).reads_rows, job.corpus.tables
    text = inspect_corpus(replace(job.spec.corpus, as_is=True), root, rows=rows, tables=tables)
    now_of = {
        "teacher": TeacherFolder(Path(job.teacher.path)).digest() == job.teacher.digest,
        "text": text.digest == job.corpus.digest,
    }
    for what, is_same in now_of.items():
        if not is_same:
            raise ConflictError(f"the {what} of job {job.id} has changed since it was submitted; submit a new job")
