"""Submit a job that came over a network: confined to the data folder, and once only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ose.core.access import Caller
from ose.core.job import Job
from ose.core.spec import TeacherSpec
from ose.models.teacher_folder import TeacherFolder
from ose.service.confinement import confined
from ose.service.extension import extended_job
from ose.service.job_file import parse_job
from ose.service.jobs import checked_job
from ose.service.ownership import job_quota
from ose.service.requests import ExtensionRequest
from ose.service.teacher_source import download_teacher, locate_teacher
from ose.store.base import NewJob, Store
from ose.store.service_base import Submission

_ANYONE = "anyone"
"""Whose keys are those of a server that asks for no tokens."""


def submit_remote_job(
    store: Store,
    content: Mapping[str, Any],
    root: Path | None,
    now: Callable[[], datetime],
    caller: Caller,
    key: str | None = None,
) -> tuple[Job, bool]:
    """Check a job and queue it; what was submitted under the same key before is found again instead.

    Args:
        store: The database.
        content: A job file's keys and values.
        root: The folder that its paths are relative to and confined to.
        now: The clock.
        caller: Who submits, and owns the job; keys of different callers are different.
        key: The caller's own name for this submission.

    Returns:
        The job, and whether it is new.

    Raises:
        InvalidInputError: The job cannot be used.
        ConflictError: The key stands for another job.
        QuotaError: The caller has as many jobs as it may.
    """
    submission = _submission(caller, key, content)
    known = None if submission is None else store.submitted_job(submission)
    if known is not None:
        return known, False
    new = checked_job(parse_job(confined(content, root), base_dir=None), now, partial(_locate, root=root), root)
    return _add(store, new, caller, submission)


def submit_remote_extension(
    store: Store, job_id: str, request: ExtensionRequest, now: Callable[[], datetime], caller: Caller, key: str | None
) -> tuple[Job, bool]:
    """Extend a job; what was asked for under the same key before is found again instead.

    Returns:
        The job that goes on with it, and whether it is new.

    Raises:
        InvalidInputError, ConflictError, NotFoundError: It cannot be extended so, or the key stands for another job.
        QuotaError: The caller has as many jobs as it may.
    """
    content = {"extend": store.job(job_id).id, **asdict(request)}
    submission = _submission(caller, key, content)
    known = None if submission is None else store.submitted_job(submission)
    if known is not None:
        return known, False
    return _add(store, extended_job(store, job_id, request.steps, request.top, now), caller, submission)


def _submission(caller: Caller, key: str | None, content: Mapping[str, Any]) -> Submission | None:
    if key is None:
        return None
    return Submission(caller=caller.owner or _ANYONE, key=key, request_hash=_hash(content))


def _add(store: Store, checked: NewJob, caller: Caller, submission: Submission | None) -> tuple[Job, bool]:
    """Queue a job as the caller's own, and say whether it is new."""
    new = replace(checked, owner=caller.owner)
    quota = job_quota()
    job = store.add_job(new, quota) if submission is None else store.add_job_once(new, submission, quota)
    return job, job.id == new.id


def _locate(spec: TeacherSpec, root: Path | None) -> TeacherFolder:
    """A name that is no absolute path is a hub's, even if the server's working directory has a folder of that name."""
    if not Path(spec.model).is_absolute():
        return download_teacher(spec)
    return replace(locate_teacher(spec), root=root)


def _hash(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
