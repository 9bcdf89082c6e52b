"""Who gets in: every operation against every scope, wrong tokens, other sites' pages, and no secret told.

Tests ose/api/bodies.py, ose/api/dependencies.py, ose/api/middleware.py and ose/api/tokens.py too.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from ose.api.auth import FailureLimit
from ose.core.access import Scope
from ose.errors import TooManyFailuresError

OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
NEEDS = {
    ("POST", "/api/v1/jobs"): Scope.SUBMIT,
    ("POST", "/api/v1/jobs/{job_id}/cancel"): Scope.SUBMIT,
    ("DELETE", "/api/v1/jobs/{job_id}"): Scope.SUBMIT,
    ("POST", "/api/v1/jobs/{job_id}/resume"): Scope.SUBMIT,
    ("POST", "/api/v1/jobs/{job_id}/extend"): Scope.SUBMIT,
    ("POST", "/api/v1/jobs/{job_id}/distillations"): Scope.SUBMIT,
    ("POST", "/api/v1/tokens"): Scope.ADMIN,
    ("GET", "/api/v1/tokens"): Scope.ADMIN,
    ("DELETE", "/api/v1/tokens/{token_id}"): Scope.ADMIN,
}
"""What asks for more than to read."""

VALUES = {"job_id": "none", "name": "none", "token_id": "0" * 8}


def operations(client) -> list[tuple[str, str]]:
    document = client.get("/openapi.json").json()
    return [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]


def call(client, method: str, path: str):
    filled = re.sub(r"\{(\w+)\}", lambda match: VALUES.get(match[1], "1"), path)
    return client.request(method, filled, json={} if method == "POST" else None)


@pytest.mark.processes
@pytest.mark.parametrize("scope", [None, *Scope])
def test_every_operation_asks_for_its_scope(make_client, workspace, scope: Scope | None):
    token = workspace.tokens.create("x", scope)[1] if scope else None
    client = make_client(token, requires_token=True)
    found = operations(client)
    assert set(NEEDS) < set(found)
    for method, path in found:
        status = call(client, method, path).status_code
        if (method, path) in OPEN:
            assert status == 200
        elif scope is None:
            assert status == 401, path
        elif scope.covers(NEEDS.get((method, path), Scope.READ)):
            assert status not in (401, 403), path
        else:
            assert status == 403, path


def test_a_revoked_or_expired_token_opens_nothing(make_client, workspace):
    token, shown = workspace.tokens.create("x", Scope.READ, valid_days=1)
    client = make_client(shown, requires_token=True)
    assert client.get("/api/v1/jobs").status_code == 200
    workspace.tokens.revoke(token.id)
    refused = client.get("/api/v1/jobs")
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert not token.is_valid(datetime(9999, 1, 1, tzinfo=UTC))


WRONG = ["x", "ose__", "ose_00000000_x", "ose_%_x", "ose_" + "0" * 8, "é", "ose_00000000_" + "x" * 10_000]


@pytest.mark.parametrize("shown", WRONG)
def test_wrong_tokens_are_refused_alike(make_client, workspace, shown: str):
    workspace.tokens.create("x", Scope.ADMIN)
    client = make_client(requires_token=True)
    answer = client.get("/api/v1/jobs", headers={"Authorization": f"Bearer {shown}".encode()})
    assert answer.status_code == 401
    assert answer.json() == client.get("/api/v1/jobs").json() and shown * 2 not in answer.text


def test_a_secret_with_another_tokens_id_is_refused(make_client, workspace):
    (one, _), (_, other) = (workspace.tokens.create(name, Scope.READ) for name in "ab")
    mixed = f"ose_{one.id}_{other.split('_', 2)[2]}"
    assert make_client(mixed, requires_token=True).get("/api/v1/jobs").status_code == 401


def test_guessing_ends_after_ten_tries_in_a_minute(make_client, workspace):
    client = make_client("ose_00000000_guess", requires_token=True)
    codes = [client.get("/api/v1/jobs").status_code for _ in range(11)]
    assert codes == [401] * 10 + [429]
    assert client.get("/api/v1/jobs").headers["Retry-After"] == "60"
    assert client.get("/healthz").status_code == 200


def test_the_limit_forgets_after_a_minute_and_knows_addresses_apart():
    now = [0.0]
    limit = FailureLimit(lambda: now[0])
    for _ in range(10):
        limit.count("a")
    with pytest.raises(TooManyFailuresError):
        limit.count("a")
    limit.count("b")
    now[0] = 60.0
    limit.count("a")


def test_the_database_holds_no_secret(workspace):
    _, shown = workspace.tokens.create("x", Scope.READ)
    secret = shown.split("_", 2)[2].encode()
    assert len(secret) == 43
    workspace.close()
    files = list(workspace.home.glob("ose.db*"))
    assert files and not any(secret in file.read_bytes() for file in files)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "10.0.0.1:8000"])
def test_a_server_without_tokens_answers_on_loopback_names_only(client, host: str):
    answer = client.get("/api/v1/jobs", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "wrong_host")
    for own in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/api/v1/jobs", headers={"Host": own}).status_code == 200


def test_pages_of_other_sites_are_refused(client):
    assert client.post("/api/v1/jobs/x/cancel", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/api/v1/jobs/x/cancel", headers={"Origin": "http://localhost"}).status_code == 404


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/docs", "/nothing", "/openapi.json", "/metrics"])
def test_every_answer_has_the_security_headers(client, path: str):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff" and headers["X-Frame-Options"] == "DENY"
    assert (
        headers["Content-Security-Policy"].startswith("default-src 'none'") and "no-store" in headers["Cache-Control"]
    )


def test_a_body_that_is_too_long_is_refused_whatever_it_says_of_itself(make_client, monkeypatch):
    monkeypatch.setenv("OSE_MAX_BODY_BYTES", "1000")
    client = make_client()
    announced = client.post("/api/v1/jobs", content=b"x" * 1001, headers={"Content-Type": "application/json"})
    chunks = (b"x" * 100 for _ in range(11))
    streamed = client.post("/api/v1/jobs", content=chunks, headers={"Content-Type": "application/json"})
    for answer in (announced, streamed):
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "OSE_MAX_BODY_BYTES" in answer.json()["detail"]
        assert answer.headers["X-Frame-Options"] == "DENY"


def test_tokens_are_made_listed_and_revoked_over_http(make_client, workspace):
    admin = make_client(workspace.tokens.create("root", Scope.ADMIN)[1], requires_token=True)
    made = admin.post("/api/v1/tokens", json={"name": "ci", "scope": "submit", "valid_days": 3})
    assert made.status_code == 201
    shown = made.json().pop("token")
    listed = admin.get("/api/v1/tokens")
    assert [token["name"] for token in listed.json()] == ["root", "ci"] and shown not in listed.text
    assert admin.delete(f"/api/v1/tokens/{made.json()['id']}").json()["revoked_at"] is not None
    assert admin.delete("/api/v1/tokens/00000000").status_code == 404
    for wrong in ({"name": " "}, {"name": "x", "scope": "root"}, {"name": "x", "valid_days": 0}, {"nam": "x"}, {}):
        assert admin.post("/api/v1/tokens", json=wrong).status_code == 422
