"""Health, readiness and metrics.

Tests ose/api/spaces.py too.
"""

from __future__ import annotations

import builders


def test_the_server_is_ready_while_its_database_is(client, workspace):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").status_code == 200
    with workspace.store._transactions.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    with workspace.store._transactions.write() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_what_the_machine_refuses_is_told_without_its_paths(client, workspace):
    with workspace.store._transactions.write() as connection:
        connection.exec_driver_sql("ALTER TABLE candidates RENAME TO lost")
    workspace.store.add_job(builders.new_job("job-1"))
    answer = client.get("/api/v1/jobs/job-1")
    assert (answer.status_code, answer.json()["code"]) == (503, "store")
    assert "candidates" not in answer.text and str(workspace.home) not in answer.text


def test_metrics_count_requests_by_route_and_jobs_by_status(client, workspace):
    workspace.store.add_job(builders.new_job("job-1"))
    for job_id in ("job-1", "none"):
        client.get(f"/api/v1/jobs/{job_id}")
    text = client.get("/metrics").text
    route = 'method="GET",route="/jobs/{job_id}"'
    assert f'ose_http_requests_total{{{route},status="200"}} 1.0' in text
    assert f'ose_http_requests_total{{{route},status="404"}} 1.0' in text
    assert 'ose_jobs{status="PENDING"} 1.0' in text
    assert 'ose_http_request_seconds_count{route="/jobs/{job_id}"} 2.0' in text


def test_every_problem_in_the_document_has_the_schema_of_one(client):
    document = client.get("/openapi.json").json()
    assert set(document["components"]["schemas"]["Problem"]["properties"]) == {
        "type",
        "title",
        "status",
        "detail",
        "code",
    }
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["responses"]["404"]["content"] == {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            }


def test_spaces_are_listed_and_shown_in_pages(client):
    names = [space["name"] for space in client.get("/api/v1/spaces").json()]
    assert "minilm" in names
    first = client.get("/api/v1/spaces/minilm?limit=3").json()
    assert [member["number"] for member in first["members"]] == [1, 2, 3] and first["next"] == 3
    rest = client.get(f"/api/v1/spaces/minilm?limit=1000&after={first['next']}").json()
    assert len(rest["members"]) == first["size"] - 3 and rest["next"] is None
    assert client.get("/api/v1/spaces/none").status_code == 404
    assert client.get("/api/v1/spaces/..%2Fx").status_code == 404
