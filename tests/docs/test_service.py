"""docs/SERVICE.md against the app: every operation with its scope, every code with its status.

Tests ose/api/app.py and ose/api/schemas.py too.
"""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ose.api.app import create_app
from ose.api.dependencies import ServerOptions
from ose.api.problems import STATUS
from ose.core.access import Scope
from ose.limits import OperatorLimits, setting_of
from ose.workspace import Workspace

TEXT = (Path(__file__).parents[2] / "docs" / "SERVICE.md").read_text(encoding="utf8")
OPERATIONS = {
    (method, path): scope
    for method, path, scope in re.findall(r"^\| `([A-Z]+) (/\S+)` \| (\S+) \|", TEXT, re.MULTILINE)
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    with Workspace(tmp_path_factory.mktemp("home")) as workspace:
        yield workspace


@pytest.mark.slow
def test_the_operations_are_those_of_the_app(workspace):
    document = create_app(workspace).openapi()
    assert set(OPERATIONS) == {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs}


@pytest.mark.processes
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_the_scopes_are_those_that_open_them(workspace, operation):
    app = create_app(workspace, ServerOptions(requires_token=True))
    method, path = operation
    filled = re.sub(r"\{(\w+)\}", lambda match: "0" * 8 if match[1] == "token_id" else "1", path)
    opens = []
    for scope in Scope:
        headers = {"Authorization": f"Bearer {workspace.tokens.create('x', scope)[1]}"}
        answer = TestClient(app).request(method, filled, headers=headers, json={} if method == "POST" else None)
        opens += [scope] if answer.status_code != 403 else []
    told = OPERATIONS[operation]
    assert opens == [scope for scope in Scope if told == "-" or scope.covers(Scope(told))]


def test_the_codes_are_those_of_the_app():
    told = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|$", TEXT, re.MULTILINE)
    assert {code: int(status) for code, status in told} == STATUS


def test_the_limits_are_those_of_the_settings():
    told = re.findall(r"^\| `(OSE_MAX_\w+|OSE_MIN_\w+)` \| ([\d,.]+) \| (.+) \|$", TEXT, re.MULTILINE)
    limits = fields(OperatorLimits)
    assert told == [(setting_of(each.name), f"{each.default:,}", each.metadata["bounds"]) for each in limits]
