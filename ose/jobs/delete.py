"""Delete a job, and of its files those that no other job has a use for.

Rows go in one transaction, which puts the files on record. Then the files are moved out of the way while no job can be
added, so none begins to use what is about to go, and removed. What a crash leaves is on record, and goes with the next
deletion.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from ose.artifacts.files import remove_retired, retire
from ose.coordinator.cache_keys import CALIBRATIONS, calibration_key, search_data_key, search_data_parts
from ose.coordinator.saved_models import SAVED_MODELS
from ose.core.job import Job
from ose.core.leftovers import Leftover
from ose.core.packed_text import packed_text_key
from ose.errors import StorageError, StoreError
from ose.store.base import Store

_LOG = logging.getLogger(__name__)

_LINGER = timedelta(hours=1)
"""Workers of a job that was cancelled a moment ago may write something yet: so long, later deletions look again."""


def delete_job(store: Store, artifacts: Path, job_id: str, now: Callable[[], datetime]) -> Job:
    """Delete a job that does not run, its candidates, students and exports, and the files that only it used.

    Args:
        store: The database.
        artifacts: Folder of the files.
        job_id: The id, or the beginning of it.
        now: The database's clock.

    Returns:
        The job as it was.

    Raises:
        NotFoundError: No such job.
        ConflictError: It runs, or a coordinator runs a distillation of it.
    """
    job = store.job(job_id)
    store.delete_job(job.id, _leftovers(job, now()), now())
    remove_leftovers(store, artifacts, now())
    return job


def remove_leftovers(store: Store, artifacts: Path, now: datetime) -> None:
    """Remove the files of deleted jobs that no other job has a use for. What cannot be removed is tried again later."""
    try:
        known = store.leftovers()
        if known:
            _retire(store, artifacts, known)
            remove_retired(artifacts / folder for folder in {Path(each.name).parent for each in known})
            store.forget_leftovers([each for each in known if each.since <= now - _LINGER])
    except (StorageError, StoreError) as error:
        _LOG.warning("files of deleted jobs are left for later: %s", error)


def _retire(store: Store, artifacts: Path, known: Iterable[Leftover]) -> None:
    """Move files out of the way of jobs to come. A job that is there has a use for its files, also before it begins."""
    teachers = {each.teacher for each in known if each.teacher is not None}
    with store.jobs_standing_still(teachers) as jobs:
        used = frozenset[str]().union(*map(shared_files, jobs))
        for leftover in known:
            if leftover.name not in used:
                for path in artifacts.glob(leftover.name):
                    retire(path)


def _leftovers(job: Job, now: datetime) -> list[Leftover]:
    own = [Leftover(name=name, teacher=None, since=now) for name in own_files(job.id)]
    return own + [Leftover(name=name, teacher=job.teacher.digest, since=now) for name in sorted(shared_files(job))]


def shared_files(job: Job) -> frozenset[str]:
    """Where, below the artifacts, lies what a job makes or finds made by another: named after all that decides it."""
    text = packed_text_key(job)
    return frozenset(
        {
            *(f"search-data/{part.key}" for part in search_data_parts(job)),
            f"checkpoints/{search_data_key(job)}",
            f"{CALIBRATIONS}/{calibration_key(job)}",
            f"packed-text/{text}.npy",
            f"packed-text/{text}.npy.sha256",
            f"packed-text/{text}-documents",
        }
    )


def own_files(job_id: str) -> tuple[str, ...]:
    """Where, below the artifacts, lies what is a job's alone, as patterns."""
    return f"distillations/{job_id}-[0-9]*", f"exports/{job_id}-[0-9]*", f"{SAVED_MODELS}/{job_id}"
