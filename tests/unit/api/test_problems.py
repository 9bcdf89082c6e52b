"""Every code has one status; faults of ours tell nothing."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.testclient import TestClient

from ose import errors
from ose.api import problems


def tree(error: type[errors.OseError]) -> list[type[errors.OseError]]:
    return [error, *(leaf for child in error.__subclasses__() for leaf in tree(child))]


def test_every_code_that_a_request_can_meet_has_a_status():
    at_work = {error.code for error in tree(errors.EvaluationError)} | {errors.OseError.code}
    codes = {error.code for error in tree(errors.OseError) if error.__module__ == errors.__name__}
    assert codes - at_work == set(problems.STATUS)


def test_a_mistake_is_never_a_fault_of_the_server():
    mistakes = tree(errors.InvalidInputError) + tree(errors.ConflictError) + tree(errors.AccessError)
    assert all(400 <= problems.STATUS[error.code] < 500 for error in mistakes)


def test_an_unforeseen_error_is_answered_without_its_words():
    app = FastAPI()
    problems.install(app)

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("a secret")

    answer = TestClient(app, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text and answer.headers["content-type"] == problems.MEDIA_TYPE


def test_a_wrong_method_is_told_all_that_the_path_has(client):
    for path, allowed in (("/api/v1/jobs", "GET, POST"), ("/api/v1/jobs/x/cancel", "POST"), ("/healthz", "GET")):
        answer = client.put(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["Allow"] == allowed
