"""The bodies of requests, for the OpenAPI document. What reads and checks them is in `ose.inputs`.

Bodies are the dataclasses that they are read into, but for what may be written in another way.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Annotated, Any

from ose.core.bounds import DEPTH, HEADS, INNER_WIDTH, WIDTH
from ose.core.recipe import DistillationSpec
from ose.core.search_space import SearchSpace
from ose.core.spec import JobSpec
from ose.inputs.requests import DistillationRequest, ExtensionRequest, TokenRequest

EXAMPLE_JOB = {
    "name": "minilm-on-laptop",
    "teacher": {"model": "teachers/my-roberta"},
    "corpus": {"train": ["text/*.txt.xz"]},
    "space": "minilm",
    "search": {"epsilon": 5, "steps": 100},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisRange:
    """The values of an axis from the first to the last, which is one of them.

    Attributes:
        start: The first.
        stop: The last.
        step: From one to the next.
    """

    __pydantic_config__ = {"extra": "forbid"}

    start: int
    stop: int
    step: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceBody(SearchSpace):  # noqa: D101
    __doc__ = inspect.getdoc(SearchSpace)

    name: str = "inline"
    num_hidden_layers: Annotated[tuple[int, ...] | AxisRange, DEPTH]  # type: ignore[assignment]
    num_attention_heads: Annotated[tuple[int, ...] | AxisRange, HEADS]  # type: ignore[assignment]
    hidden_size: Annotated[tuple[int, ...] | AxisRange, WIDTH]  # type: ignore[assignment]
    intermediate_size: Annotated[tuple[int, ...] | AxisRange, INNER_WIDTH]  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobBody(JobSpec):  # noqa: D101
    __doc__ = inspect.getdoc(JobSpec)

    space: str | SpaceBody  # type: ignore[assignment]
    extends: None = None
    spelled_out: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationBody(DistillationRequest):  # noqa: D101
    __doc__ = inspect.getdoc(DistillationRequest)

    changes: DistillationSpec = field(default_factory=DistillationSpec)  # type: ignore[assignment]


REQUESTS: dict[str, type] = {
    "JobBody": JobBody,
    "DistillationBody": DistillationBody,
    "ExtensionRequest": ExtensionRequest,
    "TokenRequest": TokenRequest,
}


def place(name: str) -> str:
    """Where the schema of a request, or of a part of one, stands. Answers may have it in another form."""
    return f"#/components/schemas/{name}-Input"


def _body(kind: type, example: dict[str, Any], description: str, *, required: bool = True) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": place(kind.__name__)}, "example": example}}
    return {"requestBody": {"required": required, "description": description, "content": content}}


JOB_BODY = _body(JobBody, EXAMPLE_JOB, "A job file's content. Paths are relative to the server's data folder.")
EXTENSION_BODY = _body(ExtensionRequest, {"steps": 300, "top": 3}, "How far to go on, and with how many.")
TOKEN_BODY = _body(TokenRequest, {"name": "ci", "scope": "submit", "valid_days": 90}, "Whose it is, and what for.")
DISTILLATION_BODY = _body(
    DistillationBody,
    {"candidate": 7, "changes": {"steps": 5000}},
    "Which candidate, and how. What `changes` leaves out is as in the job's `distillation`.",
    required=False,
)
