"""The shapes of answers, for the OpenAPI document. The answers themselves are written as the command line does."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from ose.core.access import Owner, Scope
from ose.core.architecture import Architecture
from ose.core.cost import Pace, StageTimes, Work
from ose.core.export import ExportFile
from ose.core.job import CandidateStatus, CorpusFacts, DistillationStatus, JobStatus, TeacherFacts
from ose.core.recipe import DistillationSpec
from ose.core.spec import JobSpec
from ose.core.trust import Trust
from ose.inputs.requests import DistillationRequest, ExtensionRequest, TokenRequest
from ose.leaderboard.row import LeaderboardRow

EXAMPLE_JOB = {
    "name": "minilm-on-laptop",
    "teacher": {"model": "teachers/my-roberta"},
    "corpus": {"train": ["text/*.txt.xz"]},
    "space": "minilm",
    "search": {"epsilon": 5, "steps": 100},
}

_SPACE = {
    "description": "The name of a shipped space, or the axes themselves.",
    "oneOf": [{"type": "string"}, {"type": "object"}],
}

JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A job file's content. Paths are relative to the server's data folder.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["name", "teacher", "corpus", "space"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1},
                        "teacher": {
                            "type": "object",
                            "required": ["model"],
                            "properties": {
                                "model": {"type": "string", "minLength": 1},
                                "revision": {"type": ["string", "null"]},
                            },
                            "additionalProperties": False,
                        },
                        "corpus": {
                            "type": "object",
                            "required": ["train"],
                            "properties": {
                                "train": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                                "validation": {"type": "array", "items": {"type": "string"}},
                            },
                        },
                        "space": _SPACE,
                        "task": {"type": ["string", "null"]},
                        **{
                            name: {"type": "object"}
                            for name in ("search", "latency", "score", "limits", "workers", "distillation")
                        },
                    },
                    "additionalProperties": False,
                },
                "example": EXAMPLE_JOB,
            }
        },
    }
}


class ErrorDocument(BaseModel):
    """Why something failed."""

    code: str
    message: str


class JobDocument(BaseModel):
    """A job."""

    id: str
    name: str
    status: JobStatus
    owner: Owner | None
    candidates: dict[CandidateStatus, int]
    space_size: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error: ErrorDocument | None
    spec: JobSpec
    spec_hash: str
    teacher: TeacherFacts
    corpus: CorpusFacts


class CostDocument(BaseModel):
    """What a job was expected to cost, and what it cost; null where nothing is known to tell it by, or not yet."""

    work: Work
    pace: Pace | None
    expected: StageTimes | None
    taken: StageTimes | None
    error: float | None


class UnreadableJobDocument(BaseModel):
    """A job whose row the server cannot read: what is not known is null, and the error says why."""

    id: str
    name: str
    status: Literal["UNREADABLE"]
    candidates: dict[str, int]
    space_size: None
    created_at: datetime | None
    started_at: None
    finished_at: None
    error: ErrorDocument
    spec: None
    spec_hash: None
    teacher: None
    corpus: None


class JobPage(BaseModel):
    """Some jobs, newest first; `next` is null when they were the last."""

    jobs: list[JobDocument | UnreadableJobDocument]
    next: str | None


class LeaderboardDocument(BaseModel):
    """Some rows of a leaderboard; `next` is null when they were the last."""

    job: dict[str, Any]
    teacher: dict[str, Any]
    trust: Trust | None
    hint: str | None
    rows: list[LeaderboardRow]
    num_more: int
    next: str | None


class DistillationDocument(BaseModel):
    """A full distillation."""

    id: int
    job: str
    candidate: int
    status: DistillationStatus
    created_at: datetime
    finished_at: datetime | None
    spec: DistillationSpec
    result: dict[str, Any] | None
    error: ErrorDocument | None


class ExportDocument(BaseModel):
    """An exported student."""

    id: int
    job: str
    candidate: int
    architecture: Architecture
    size_bytes: int
    max_logit_difference: float
    created_at: datetime
    files: list[ExportFile]


class TokenDocument(BaseModel):
    """What is known of a token."""

    id: str
    name: str
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class NewTokenDocument(TokenDocument):
    """A new token, with what cannot be shown again."""

    token: str


def _body(kind: type, example: dict[str, Any], *, required: bool) -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    for name, inner in schema.pop("$defs", {}).items():  # a schema inside a document has no definitions of its own
        for place in schema["properties"].values():
            if place.pop("$ref", "").endswith(f"/{name}"):
                place.update(inner)
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": required, "content": content}}


DISTILLATION_BODY = _body(DistillationRequest, {"candidate": 7, "changes": {"steps": 5000}}, required=False)
EXTENSION_BODY = _body(ExtensionRequest, {"steps": 300, "top": 3}, required=True)
TOKEN_BODY = _body(TokenRequest, {"name": "ci", "scope": "submit", "valid_days": 90}, required=True)
