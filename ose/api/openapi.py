"""The OpenAPI document: FastAPI's, with the bodies that it does not read, and what docstrings say of each field."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from ose.access.gate import Gate
from ose.api.problems import Problem
from ose.api.request_schemas import REQUESTS, place
from ose.core.access import Token
from ose.core.measurement import Evaluation
from ose.core.score import ScoreRule
from ose.leaderboard.row import LeaderboardRow, Place
from ose.store.pages import CandidateFigures

Document = dict[str, Any]
"""JSON: of the whole API, or of a part."""

DOCUMENT_URL = "/openapi.json"

_HEIRS: dict[str, tuple[type, ...]] = {
    "AppliedRule": (ScoreRule,),
    "LeaderboardRow": (Place, CandidateFigures),
    "CandidateDocument": (Place, CandidateFigures, LeaderboardRow),
    "EvaluationDocument": (Evaluation,),
    "NewTokenDocument": (Token,),
}
"""Classes whose docstring leaves to their bases what these say of their fields."""

_ATTRIBUTE = re.compile(r"^    (\w[\w, ]*): (.*(?:\n {8,}.*)*)", re.MULTILINE)
"""In a docstring of Google's style: a name, or several, with what is said of it, on as many lines as that takes."""


def describe(app: FastAPI, gate: Gate) -> None:
    """Complete an app's OpenAPI document; whether it tells of tokens depends on whether anybody is asked for one."""
    generate = app.openapi

    def openapi() -> Document:
        is_made = app.openapi_schema is not None
        document = generate()
        if not is_made:
            _complete(document["components"]["schemas"])
        return document if gate.is_shut else _without_security(document)

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schemas: dict[str, Document]) -> None:
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, "validation", TypeAdapter(kind)) for name, kind in REQUESTS.items()
    ]
    _, parts = TypeAdapter.json_schemas(adapters, ref_template=place("{model}"))
    schemas |= {f"{name}-Input": schema for name, schema in parts["$defs"].items()}
    schemas["Problem"] = Problem.model_json_schema()
    for name, schema in schemas.items():
        _explain(schema, _HEIRS.get(name, ()))


def _explain(schema: Document, heir_of: Iterable[type]) -> None:
    """Move what a docstring, or that of a base, says of each attribute to the property of that name."""
    text = inspect.cleandoc(schema.get("description", ""))
    told = {**attributes_of("\n".join(inspect.getdoc(each) or "" for each in heir_of)), **attributes_of(text)}
    for name, field in schema.get("properties", {}).items():
        if name in told:
            field.setdefault("description", told[name])
    if text:
        schema["description"] = re.split(r"\n\n(?:Attributes|Raises):\n", text)[0]


def attributes_of(docstring: str) -> Mapping[str, str]:
    """What a docstring says of each attribute, in one line and JSON's words; of one named twice, what it says first."""
    told: dict[str, str] = {}
    for names, text in _ATTRIBUTE.findall(docstring):
        for name in names.split(", "):
            told.setdefault(name, re.sub(r"\bNone\b", "null", " ".join(text.split())))
    return told


def _without_security(document: Document) -> Document:
    document = deepcopy(document)  # the app keeps the one it was made from
    document["components"].pop("securitySchemes", None)
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document
