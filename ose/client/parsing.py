"""From job files to what is sent, and from a service's JSON to the values that a workspace gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from ose.core.cost import JobCost
from ose.core.former_names import with_columns, without_attempts
from ose.core.job import CandidateStatus, Distillation, Job
from ose.core.presets import asked_content
from ose.core.search_space import SearchSpace
from ose.core.spec import JobSpec
from ose.errors import InvalidInputError, ServiceError
from ose.inputs.space_files import load_space
from ose.inputs.yaml_text import read_mapping
from ose.leaderboard.read import Leaderboard, LeaderboardQuery

T = TypeVar("T")

_JOB: TypeAdapter[Job] = TypeAdapter(Job)
_COST: TypeAdapter[JobCost] = TypeAdapter(JobCost)
_BOARD: TypeAdapter[Leaderboard] = TypeAdapter(Leaderboard)
_SPACE: TypeAdapter[SearchSpace] = TypeAdapter(SearchSpace)
_DISTILLATION: TypeAdapter[Distillation] = TypeAdapter(Distillation)


def segment(text: str) -> str:
    """One part of a path, whatever people type.

    Raises:
        InvalidInputError: It is empty, and the path would mean something else.
    """
    if not text.strip(".") or "/" in text:
        raise InvalidInputError(f"{text!r} is no id or name")
    return quote(text, safe="")


def job_content(
    job: str | Path | Mapping[str, Any] | JobSpec, *, teacher_as_is: bool = False, corpus_as_is: bool = False
) -> dict[str, Any]:
    """The keys and values of a job, with a space of this machine written out."""
    content = _asked(job) if isinstance(job, JobSpec) else _with_space(job)
    for part, is_as_is in (("teacher", teacher_as_is), ("corpus", corpus_as_is)):
        if is_as_is and isinstance(content.get(part), Mapping):
            content[part] = {**content[part], "as_is": True}
    return content


def _asked(job: JobSpec) -> dict[str, Any]:
    """What a job asks for, without what it leaves to its task."""
    content = asdict(job) | {"distillation": asked_content(job.distillation, job.spelled_out)}
    return {name: value for name, value in content.items() if name != "spelled_out"}


def _with_space(job: str | Path | Mapping[str, Any]) -> dict[str, Any]:
    file = None if isinstance(job, Mapping) else Path(job)
    content = dict(job) if isinstance(job, Mapping) else read_mapping(Path(job))
    space = content.get("space")
    if isinstance(space, str) and (space.endswith((".yaml", ".yml")) or "/" in space):
        content["space"] = asdict(load_space(space, file.parent if file else None, cited_in=str(file or "job")))
    return content


def job(content: dict[str, Any]) -> Job:
    """A job from its JSON; what only the service needs to know is left out there."""
    spec = content.get("spec")
    known = {"spec": without_attempts(with_columns(spec))} if isinstance(spec, Mapping) else {}
    return _parsed(_JOB, {**_fields(Job, content), **known, "failure": content["error"]})


def cost(content: dict[str, Any]) -> JobCost:
    """What a job costs from its JSON."""
    return _parsed(_COST, _fields(JobCost, content))


def progress(event: dict[str, Any]) -> tuple[int, int]:
    """How many candidates there are, and how many are done."""
    counts = event["candidates"]
    return sum(counts.values()), sum(counts.get(status, 0) for status in CandidateStatus if status.is_terminal)


def leaderboard(content: dict[str, Any]) -> Leaderboard:
    """A leaderboard from its JSON."""
    return _parsed(_BOARD, _fields(Leaderboard, content))


def space(content: dict[str, Any]) -> SearchSpace:
    """A search space from its JSON, without its members."""
    return _parsed(_SPACE, _fields(SearchSpace, content))


def distillation(content: dict[str, Any]) -> Distillation:
    """A distillation from its JSON. Its files are the service's, so their places are empty here."""
    result = None if content["result"] is None else {**content["result"], "student_path": ""}
    named = {"job_id": content["job"], "candidate_number": content["candidate"], "folder": ""}
    return _parsed(
        _DISTILLATION,
        {**_fields(Distillation, content), **named, "result": result, "failure": content["error"]},
    )


def query_parameters(query: LeaderboardQuery) -> dict[str, Any]:
    """A query as the service reads it; its limit is the caller's to divide into pages."""
    rule = query.rule
    return {
        "order_by": query.order_by,
        "pareto": "true" if query.pareto else None,
        "max_latency_ms": query.max_latency_ms,
        "max_parameters": query.max_parameters,
        "max_loss_nats": query.max_loss_nats,
        "formula": rule.formula if rule else None,
        "exponents": ",".join(map(repr, rule.exponents)) if rule else None,
    }


def _fields(kind: type, content: dict[str, Any]) -> dict[str, Any]:
    return {field.name: content[field.name] for field in fields(kind) if field.name in content}


def _parsed(adapter: TypeAdapter[T], content: dict[str, Any]) -> T:
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise ServiceError(f"the service answers what this OSE cannot read: {place} {first['msg']}") from error
