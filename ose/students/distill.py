"""Choose a student, and have it distilled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ose.artifacts.intact import damaged_file
from ose.artifacts.step_folders import CHECKPOINTS, GENERAL_CHECKPOINTS, step_folders
from ose.core.failures import failure_report
from ose.core.former_names import former_recipe
from ose.core.job import Candidate, Distillation, DistillationResult, DistillationStatus, Job
from ose.core.recipe import DistillationSpec
from ose.errors import ConflictError, InvalidInputError, NotFoundError
from ose.inputs.consistency import check_recipe
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.limits import require_within
from ose.store.base import Store

Distill = Callable[[Job, Candidate, DistillationSpec, Path], DistillationResult]
"""Runs a distillation in a folder, from its last checkpoint if it holds one."""


def choose_candidate(store: Store, job: Job, number: int | None) -> Candidate:
    """The candidate asked for, or the job's best under its own score.

    Raises:
        NotFoundError: No such number.
        ConflictError: No candidate has been scored yet.
    """
    if number is not None:
        return store.candidate(job.id, number)
    rows = read_leaderboard(store, job.id, LeaderboardQuery(limit=1)).rows
    if not rows or rows[0].rank is None:
        raise ConflictError(f"job {job.id} has no scored candidate yet ({job.status}); run it first")
    return store.candidate(job.id, rows[0].candidate)


def check_workers(spec: DistillationSpec, workers: int) -> None:
    """Hold the number of processes that are to train together against a recipe.

    Raises:
        InvalidInputError: A step has less than a micro-batch for each.
    """
    if workers < 1:
        raise InvalidInputError(f"workers must be positive, not {workers}")
    require_within("max_workers", workers, f"workers is {workers:,}")
    most = -(-spec.batch_size // spec.micro_batch_size)
    if workers > most:
        raise InvalidInputError(
            f"{workers} workers cannot share {most} micro-batch{'es' if most > 1 else ''} a step (batch_size "
            f"{spec.batch_size}, micro_batch_size {spec.micro_batch_size}); ask for at most {most}, or lower "
            "micro_batch_size"
        )


def distill_student(
    store: Store,
    job: Job,
    candidate: Candidate,
    spec: DistillationSpec,
    artifacts: Path,
    distill: Distill,
    now: Callable[[], datetime],
) -> Distillation:
    """Distil a candidate fully. The same request again goes on from its last checkpoint, or is done already.

    Where the student's files are gone or damaged it is not done: they are written anew.

    Raises:
        InvalidInputError: The recipe's losses do not fit teacher and student.
        NotFoundError: The job was deleted meanwhile.
        OseError: The distillation failed; the failure is stored with it.
    """
    check_recipe(spec, job.teacher, candidate.architecture, job.spec.corpus)
    folder = distillation_folder(job, candidate, spec, artifacts)
    known = next((each for each in store.distillations(job.id) if each.folder == str(folder)), None)
    if known is not None and known.status is DistillationStatus.SUCCEEDED and _is_whole(known):
        return known
    if known is None:
        known = store.add_distillation(job.id, candidate.number, spec, str(folder), now())
    else:
        store.reopen_distillation(known.id)
    try:
        result = distill(job, candidate, spec, folder)
    except Exception as error:
        store.finish_distillation(known.id, now(), failure=failure_report(error))
        raise
    store.finish_distillation(known.id, now(), result=result)
    return store.distillation(known.id)


def distillation_folder(job: Job, candidate: Candidate, spec: DistillationSpec, artifacts: Path) -> Path:
    """Where a distillation keeps its files: equal requests share it, so the second goes on with the first."""
    key = hashlib.sha256(json.dumps(former_recipe(spec), sort_keys=True).encode()).hexdigest()[:12]
    return artifacts / "distillations" / f"{job.id}-{candidate.number}-{key}"


def _is_whole(distillation: Distillation) -> bool:
    path = Path(distillation.result.student_path) if distillation.result else None
    return path is not None and path.is_dir() and damaged_file(path) is None


def finished_student(distillation: Distillation) -> Path:
    """The folder of a distilled student, as it was written.

    Raises:
        ConflictError: It is gone, or a file of it is not what was distilled.
    """
    assert distillation.result is not None
    path = Path(distillation.result.student_path)
    damaged = damaged_file(path) if path.is_dir() else path
    if damaged is not None:
        again = f"ose distill {distillation.job_id} --candidate {distillation.candidate_number}"
        raise ConflictError(
            f"{damaged} is gone, or is not what was distilled; run `{again}` with the same recipe, which writes the "
            "student anew from its last checkpoint"
        )
    return path


def num_steps_kept(folder: Path) -> int:
    """How far the newest checkpoints of a distillation's folder have got, of both stages; 0 before the first one."""
    return sum(max(step_folders(folder / name), default=0) for name in (GENERAL_CHECKPOINTS, CHECKPOINTS))


def find_distillation(store: Store, job: Job, number: int | None) -> Distillation:
    """The newest finished distillation of a job, or of one of its candidates.

    Raises:
        NotFoundError: There is none.
    """
    for distillation in store.distillations(job.id):
        finished = distillation.status is DistillationStatus.SUCCEEDED
        if finished and number in (None, distillation.candidate_number):
            return distillation
    which = f"job {job.id}" if number is None else f"candidate {number} of job {job.id}"
    raise NotFoundError(f"{which} has no distilled student yet; run `ose distill {job.id}` first")
