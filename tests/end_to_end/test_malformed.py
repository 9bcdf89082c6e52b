"""Whatever is sent, the server says what is wrong with it, keeps its secrets and writes nothing.

`benchmarks/service/malformed.py` sends ten thousand over real HTTP.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from malformed_requests import JOB, NONSENSE, attempts, mutated
from starlette.testclient import TestClient

from ose.api.app import create_app
from ose.api.dependencies import ServerOptions
from ose.errors import InvalidInputError
from ose.inputs.job_file import parse_job
from ose.inputs.quickstart_job import teacher_folder
from ose.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(tmp_path / "home") as workspace:
        yield workspace


def test_no_request_breaks_the_server_or_writes_anything(workspace: Workspace) -> None:
    app = create_app(workspace, ServerOptions(data_root=teacher_folder().parent))
    client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
    statuses = set()
    for attempt in attempts(JOB, 200, seed=0):
        answer = client.request(attempt.method, attempt.path, content=attempt.body, headers=attempt.headers)
        assert answer.status_code < 500, (attempt, answer.text)
        assert "Traceback" not in answer.text and str(workspace.home) not in answer.text
        statuses.add(answer.status_code)
    assert {200, 404, 422} <= statuses and 201 not in statuses
    assert workspace.jobs() == [] and workspace.tokens.list() == []
    assert {file.name for file in workspace.home.iterdir()} <= {"ose.db", "ose.db-wal", "ose.db-shm"}


def test_no_job_file_breaks_its_reader(tmp_path: Path) -> None:
    draw, refused = random.Random(0), 0
    for _ in range(300):
        try:
            parse_job(mutated(draw, JOB), base_dir=tmp_path)
        except InvalidInputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 200


@pytest.mark.parametrize("content", NONSENSE, ids=lambda value: repr(value)[:20])
def test_no_nonsense_is_a_job(content: object) -> None:
    with pytest.raises(InvalidInputError):
        parse_job({"name": content, "space": content}, base_dir=None)
