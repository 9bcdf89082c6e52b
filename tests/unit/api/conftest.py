"""An app in this process, without a network between."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from starlette.testclient import TestClient

from ose.api.app import create_app
from ose.api.dependencies import ServerOptions
from ose.jobs.checkers import Checkers
from ose.workspace import Workspace


@pytest.fixture
def own_checkers(workspace: Workspace) -> Iterator[None]:
    """Checkers that begin, with the first question, in the folder and environment of the test."""
    shared, workspace.checkers = workspace.checkers, Checkers()
    yield
    workspace.checkers.close()
    workspace.checkers = shared


@pytest.fixture
def make_client(workspace: Workspace) -> Callable[..., TestClient]:
    """A client of an app with the options given. Whatever the app raises is answered, as by a server."""

    def make(token: str | None = None, **options: object) -> TestClient:
        app = create_app(workspace, ServerOptions(**{"poll_s": 0.02, **options}))
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return TestClient(app, base_url="http://localhost", headers=headers, raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    """A client of an app without tokens."""
    return make_client()
