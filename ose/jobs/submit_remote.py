"""Submit a job that came over a network: confined to the data folder, and once only.

What takes long only reads: `prepared_job` and `prepared_extension` may run in another process, and be ended at any
moment. What they have found out is then stored at once, by `store_prepared`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ose.access.ownership import job_quota
from ose.core.access import Caller
from ose.core.job import Job
from ose.core.spec import TeacherSpec
from ose.inputs.job_file import parse_job
from ose.inputs.path_sandbox import confined
from ose.inputs.requests import ExtensionRequest
from ose.inputs.teacher_source import download_teacher, locate_teacher
from ose.jobs.extend import extended_job
from ose.jobs.submit import checked_job
from ose.store.base import Store
from ose.store.new_rows import NewJob
from ose.store.service_base import Submission
from ose.tasks.teacher_folder import TeacherFolder

_ANYONE = "anyone"
"""Whose keys are those of a server that asks for no tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedJob:
    """A submission whose job was checked, or had been made before.

    Attributes:
        submission: What makes it one job however often it is sent; None without a key.
        known: Id of the job that the key has made before.
        new: The job to be stored.
    """

    submission: Submission | None = None
    known: str | None = None
    new: NewJob | None = None


def prepared_job(
    store: Store,
    content: Mapping[str, Any],
    root: Path | None,
    now: Callable[[], datetime],
    owner: str | None,
    key: str | None = None,
) -> PreparedJob:
    """Check a job, unless its key has made one before; nothing is written.

    Args:
        store: The database.
        content: A job file's keys and values.
        root: The folder that its paths are relative to and confined to.
        now: The clock.
        owner: The id of the token that it is submitted with; keys of different owners are different.
        key: The owner's own name for this submission.

    Raises:
        InvalidInputError: The job cannot be used.
        ConflictError: The key stands for another job.
    """

    def check() -> NewJob:
        return checked_job(parse_job(confined(content, root), base_dir=None), now, partial(_locate, root=root), root)

    return _prepared(store, content, owner, key, check)


def prepared_extension(
    store: Store,
    job_id: str,
    request: ExtensionRequest,
    now: Callable[[], datetime],
    owner: str | None,
    key: str | None = None,
) -> PreparedJob:
    """Check an extension of a job, unless its key has made one before; nothing is written.

    Raises:
        InvalidInputError, ConflictError, NotFoundError: It cannot be extended so, or the key stands for another job.
    """
    content = {"extend": store.job(job_id).id, **asdict(request)}
    check = partial(extended_job, store, job_id, request.steps, request.top, now)
    return _prepared(store, content, owner, key, check)


def store_prepared(store: Store, prepared: PreparedJob, caller: Caller) -> tuple[Job, bool]:
    """Queue what was prepared as the caller's own; what was stored under the same key meanwhile is found again instead.

    Returns:
        The job, and whether it is new.

    Raises:
        ConflictError: The key stands for another job.
        QuotaError: The caller has as many jobs as it may.
    """
    if prepared.new is None:
        return store.job(prepared.known or ""), False
    new, quota = replace(prepared.new, owner=caller.owner), job_quota()
    if prepared.submission is None:
        return store.add_job(new, quota), True
    job = store.add_job_once(new, prepared.submission, quota)
    return job, job.id == new.id


def _prepared(
    store: Store, content: Mapping[str, Any], owner: str | None, key: str | None, check: Callable[[], NewJob]
) -> PreparedJob:
    if key is None:
        return PreparedJob(new=check())
    submission = Submission(caller=owner or _ANYONE, key=key, request_hash=_hash(content))
    known = store.submitted_job(submission)
    if known is not None:
        return PreparedJob(submission=submission, known=known.id)
    return PreparedJob(submission=submission, new=check())


def _locate(spec: TeacherSpec, root: Path | None) -> TeacherFolder:
    """A name that is no absolute path is a hub's, even if the server's working directory has a folder of that name."""
    if not Path(spec.model).is_absolute():
        return download_teacher(spec)
    return replace(locate_teacher(spec), root=root)


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
