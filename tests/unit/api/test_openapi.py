"""The document says all of every request and answer, and what is asked and answered is what it says.

Tests ose/api/leaderboard_schemas.py and ose/api/request_schemas.py too.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import builders
import pytest
from jsonschema import Draft202012Validator
from services import NOW, add_finished_job

from ose.api.openapi import attributes_of
from ose.api.request_schemas import EXAMPLE_JOB
from ose.core.access import Scope
from ose.core.search_space import AXES

MAPPINGS = ["candidates", "metrics"]
"""What has no fields of its own: counts by status, metrics by name."""

JOB = "/components/schemas/JobBody-Input"


@pytest.fixture
def document(client) -> dict[str, Any]:
    return client.get("/openapi.json").json()


def schemas(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object of a document with the way to it, but for examples."""
    if isinstance(value, dict):
        yield path, value
        for name, inner in value.items():
            if name not in ("example", "examples", "default"):
                yield from schemas(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from schemas(inner, (*path, str(index)))


@pytest.mark.slow
def test_every_object_says_its_fields(document):
    bare = [path for path, each in schemas(document) if each.get("type") == "object" and not each.get("properties")]
    assert {path[-1] for path in bare} == set(MAPPINGS)
    assert [path for path, each in schemas(document) if each == {}] == []


def test_every_field_says_what_it_is(document):
    objects = [(path, each) for path, each in schemas(document) if each.get("type") == "object"]
    fields = [(path[-1], name, field) for path, each in objects for name, field in each.get("properties", {}).items()]
    assert len(fields) > 200
    assert [(kind, name) for kind, name, field in fields if not field.get("description")] == []
    assert not [name for kind, name, field in fields if set(field) <= {"description", "title", "default"}]


@pytest.mark.slow
def test_numbers_of_a_job_say_their_bounds_and_defaults(document):
    parts = document["components"]["schemas"]
    steps = parts["SearchSpec-Input"]["properties"]["steps"]
    assert (steps["default"], steps["minimum"], steps["maximum"]) == (100, 1, 10_000_000)
    axis = parts["SpaceBody-Input"]["properties"]["hidden_size"]["anyOf"][0]
    assert axis["items"] == {"type": "integer", "minimum": 1, "maximum": 65_536}
    betas = parts["DistillationSpec-Input"]["properties"]["betas"]["prefixItems"]
    assert [each["maximum"] for each in betas] == [1, 1]


def strict(document: dict[str, Any], place: str) -> Draft202012Validator:
    """Of a schema of the document, without any field that it does not name."""
    document = deepcopy(document)
    for _, each in schemas(document):
        if each.get("properties"):
            each["additionalProperties"] = False
    return Draft202012Validator({"$ref": f"#{place}", "components": document["components"], "paths": document["paths"]})


RANGES = {**{axis: [4] for axis in AXES}, "num_hidden_layers": {"start": 1, "stop": 3}}


@pytest.mark.slow
@pytest.mark.parametrize("space", ["minilm", RANGES], ids=["name", "axes"])
def test_a_job_is_what_the_document_says(document, space: object):
    check = strict(document, JOB)
    job = {**EXAMPLE_JOB, "space": space, "distillation": {"preset": "bort", "weights": {"cosine": 1}}}
    check.validate(job)
    wrong = ({"steps": 3}, {"search": {"steps": 0}}, {"search": {"steps": "3"}}, {"extends": {}}, {"space": 3})
    assert [change for change in wrong if check.is_valid({**job, **change})] == []


@pytest.mark.processes
def test_answers_are_what_the_document_says(document, client, workspace):
    job = add_finished_job(workspace.store)
    workspace.store.add_job(builders.new_job("job-2"))
    workspace.store.add_distillation(job.id, 1, job.spec.distillation, "folder", NOW)
    workspace.tokens.create("x", Scope.READ)
    token = workspace.tokens.create("y", Scope.ADMIN)[1]
    values = {"job_id": "job-1", "number": "1", "name": "quickstart", "distillation_id": "1", "export_id": "1"}
    asked = 0
    for path, operations in document["paths"].items():
        if "get" not in operations or "{token_id}" in path:
            continue
        answer = client.get(path.format_map(values), headers={"Authorization": f"Bearer {token}"})
        if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
            place = f"/paths/{path.replace('/', '~1')}/get/responses/200/content/application~1json/schema"
            strict(document, place).validate(answer.json())
            asked += 1
    assert asked >= 12


def test_several_attributes_may_share_a_line():
    told = attributes_of("A thing.\n\nAttributes:\n    a, b: Two\n        of them.\n    c: One: None if last.")
    assert told == {"a": "Two of them.", "b": "Two of them.", "c": "One: null if last."}
