"""What a server has worked out in processes that it can end: all that reads teachers and texts or asks the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_core import to_json

from ose.inputs.job_file import parse_job
from ose.inputs.json_text import read_object
from ose.inputs.requests import ExtensionRequest
from ose.inputs.space_files import shipped_spaces
from ose.inputs.validation import validate
from ose.jobs.estimate import cost_json, job_cost
from ose.jobs.submit_remote import PreparedJob, prepared_extension, prepared_job
from ose.store.base import Store
from ose.store.database import connect
from ose.store.sql import SqlStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A task with all that it needs.

    Attributes:
        task: One of `TASKS`.
        database: URL of the database, which is only read.
        home: The folder that paths in it are kept relative to.
        arguments: The task's own, as JSON has them.
        body: What somebody has sent, unread.
    """

    task: str
    database: str
    home: str
    arguments: Mapping[str, Any]
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """A line of JSON, and the body after it."""
        place = {"database": self.database, "home": self.home}
        head = {"task": self.task, **place, "arguments": dict(self.arguments)}
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def of(cls, message: bytes) -> Question:
        """What `to_bytes` made."""
        head, _, body = message.partition(b"\n")
        return cls(**json.loads(head), body=body)


def answer(question: Question) -> bytes:
    """The result as JSON.

    Raises:
        OseError: It cannot be done.
    """
    result = TASKS[question.task](_store(question.database, question.home), question.body, **question.arguments)
    return to_json(result, inf_nan_mode="constants")


def to_prepared(result: bytes) -> PreparedJob:
    """What `submit` and `extend` answer."""
    return _prepared().validate_json(result)


def warm_up() -> None:
    """Build what the first job would have to wait for."""
    _prepared()
    validate(ExtensionRequest, {"steps": 1}, "request")
    for space in shipped_spaces():
        parse_job({"name": "a", "teacher": {"model": "a"}, "corpus": {"train": ["a"]}, "space": space.name}, None)


def _submit(store: Store, body: bytes, root: str | None, owner: str | None, key: str | None) -> PreparedJob:
    folder = None if root is None else Path(root)
    return prepared_job(store, read_object(body), folder, _now, owner, key)


def _extend(store: Store, body: bytes, job_id: str, owner: str | None, key: str | None) -> PreparedJob:
    request = validate(ExtensionRequest, read_object(body), "request")
    return prepared_extension(store, job_id, request, _now, owner, key)


def _cost(store: Store, body: bytes, job_id: str) -> dict[str, Any]:
    return cost_json(job_cost(store, store.job(job_id)))


TASKS: dict[str, Callable[..., Any]] = {"submit": _submit, "extend": _extend, "cost": _cost}


@cache
def _store(url: str, home: str) -> Store:
    """As it is: the server has brought its tables up to date."""
    return SqlStore(connect(url, Path(home)))


@cache
def _prepared() -> TypeAdapter[PreparedJob]:
    return TypeAdapter(PreparedJob)


def _now() -> datetime:
    return datetime.now(UTC)
