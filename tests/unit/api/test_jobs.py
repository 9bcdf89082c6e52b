"""Submitting over HTTP: confined, once only, and never a server's fault.

Tests ose/api/desk.py, ose/api/submission_checks.py and ose/inputs/json_text.py too.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import builders
import pytest
from builders import NOW
from services import add_finished_job

from ose.core.job import JobStatus
from ose.core.score import Score
from ose.inputs.job_file import parse_job

pytestmark = pytest.mark.processes  # submissions are checked in another one

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def data_root(tmp_path: Path, tiny_roberta: Path, real_text: list[str]) -> Path:
    """What a server offers: one teacher, one text, and a link that leads out."""
    root = tmp_path / "data"
    root.mkdir()
    (root / "teacher").mkdir()
    for file in tiny_roberta.iterdir():
        (root / "teacher" / file.name).write_bytes(file.read_bytes())
    (root / "text.txt").write_text("\n".join(document.replace("\n", " ") for document in real_text))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("a secret")
    (root / "link").symlink_to(outside)
    return root


@pytest.fixture
def job() -> dict[str, Any]:
    return {
        "name": "tiny",
        "teacher": {"model": "teacher"},
        "corpus": {"train": ["*.txt"], "sequence_length": 16},
        "space": {
            "num_hidden_layers": [1, 2],
            "num_attention_heads": [4],
            "hidden_size": [16, 32],
            "intermediate_size": [64],
        },
        "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
    }


def test_a_job_is_submitted_listed_and_shown(make_client, data_root: Path, job):
    client = make_client(data_root=data_root)
    made = client.post("/api/v1/jobs", json=job)
    assert made.status_code == 201
    shown = client.get(made.headers["Location"]).json()
    assert shown == made.json()
    assert shown["status"] == "PENDING" and shown["teacher"]["path"] == str(data_root / "teacher")
    assert shown["corpus"]["train"] == [str(data_root / "text.txt")]
    assert client.get("/api/v1/jobs").json() == {"jobs": [shown], "next": None}


def test_names_of_the_json_are_those_of_the_command_line(make_client, workspace, data_root: Path, job):
    client = make_client(data_root=data_root)
    made = client.post("/api/v1/jobs", json=job).json()
    assert list(made) == list(workspace.describe(made["id"]))


def test_the_same_key_makes_one_job(make_client, data_root: Path, job):
    client = make_client(data_root=data_root)
    first, second = (client.post("/api/v1/jobs", json=job, headers={"Idempotency-Key": "a"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    other = client.post("/api/v1/jobs", json={**job, "name": "other"}, headers={"Idempotency-Key": "a"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert client.post("/api/v1/jobs", json=job, headers={"Idempotency-Key": "b"}).status_code == 201
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 2


def test_the_same_key_at_once_makes_one_job(make_client, data_root: Path, job):
    client = make_client(data_root=data_root)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: client.post("/api/v1/jobs", json=job, headers={"Idempotency-Key": "a"}), range(8))
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1


@pytest.fixture
def ended(workspace, tmp_path: Path, data_root: Path, job) -> str:
    """A job that a server's data folder has the teacher and text of, ended with two candidates."""
    spec = parse_job({**job, "teacher": {"model": str(data_root / "teacher")}}, data_root)
    submitted = workspace.submit(spec)
    add_candidates(workspace.store, submitted)
    return submitted.id


def add_candidates(store, job) -> None:
    assert store.claim_job(job.id, "owner", NOW, NOW)
    latency = store.add_latency("shape", "protocol", "device", builders.latency(1.0), NOW)
    store.record_teacher(job.id, "owner", quality=builders.teacher_quality(), latency_id=latency.id)
    for candidate in store.add_candidates(job.id, "owner", [builders.new_candidate(n) for n in (1, 2)]):
        store.attach_latency(job.id, "owner", [candidate.id], latency.id)
        store.open_trial(job.id, "owner", candidate.id, f"trial-{candidate.number}", "worker", NOW)
        score = Score(value=0.1, stderr=0.0)
        store.record_success(f"trial-{candidate.number}", builders.evaluation(), score, NOW)
    store.finish_job(job.id, "owner", JobStatus.SUCCEEDED, NOW)


def test_a_job_is_extended_once_for_each_key(client, ended: str):
    path = f"/api/v1/jobs/{ended}/extend"
    first, second = (client.post(path, json={"steps": 200}, headers={"Idempotency-Key": "a"}) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json() == client.get(first.headers["Location"]).json()
    assert first.json()["status"] == "PENDING" and first.json()["spec"]["search"]["steps"] == 200
    assert first.json()["spec"]["extends"]["job"] == ended
    other = client.post(path, json={"steps": 200, "top": 1}, headers={"Idempotency-Key": "a"})
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    one = client.post(path, json={"steps": 200, "top": 1}).json()
    assert len(one["spec"]["extends"]["candidates"]) == 1


@pytest.mark.parametrize(
    "body", [{}, {"steps": 100}, {"steps": 0}, {"steps": "many"}, {"steps": 200, "top": 0}, {"steps": 200, "to": 1}]
)
def test_what_is_no_extension_is_refused(client, ended: str, body: dict[str, Any]):
    assert client.post(f"/api/v1/jobs/{ended}/extend", json=body).status_code == 422
    assert len(client.get("/api/v1/jobs").json()["jobs"]) == 1


def test_an_extension_is_not_written_by_hand(make_client, data_root: Path, job):
    job["extends"] = {"job": "x", "candidates": [], "data_steps": [1]}
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json=job)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_job_file")
    assert "ose job extend" in answer.json()["detail"]


ESCAPES = ["/etc", "../outside", "teacher/../../outside", "link", "~", "~root", "", "teacher\n", "./../outside", "."]


@pytest.mark.parametrize("name", ESCAPES)
def test_no_teacher_is_read_outside_the_data_folder(make_client, data_root: Path, job, name: str):
    job["teacher"]["model"] = name
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json=job)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_teacher")
    assert "secret" not in answer.text and str(data_root) not in answer.json()["detail"].replace(str(data_root), "", 1)


TEXT_ESCAPES = [
    "/etc/passwd", "../outside/secret.txt", "link/secret.txt", "link/*.txt", "../*/secret.txt", "/etc/*.conf", "~/x",
    "**/**/*", "teacher", "hf:../../x",
]  # fmt: skip


@pytest.mark.parametrize("name", TEXT_ESCAPES)
@pytest.mark.parametrize("key", ["train", "validation"])
def test_no_text_is_read_outside_the_data_folder(make_client, data_root: Path, job, name: str, key: str):
    job["corpus"][key] = [name]
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json=job)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_corpus")


@pytest.mark.parametrize("space", ["../x.yaml", "/etc/passwd", "x.yml", "a\\b"])
def test_no_space_is_read_from_a_file(make_client, data_root: Path, job, space: str):
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json={**job, "space": space})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_job_file")


@pytest.mark.usefixtures("own_checkers")
def test_a_folder_where_the_server_was_started_is_no_teacher(make_client, data_root: Path, job, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (data_root / "teacher").rename(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    job["teacher"]["model"] = "elsewhere"
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json=job)
    assert answer.status_code == 422 and "hub" in answer.json()["detail"]


def test_without_a_data_folder_no_file_is_read(make_client, data_root: Path, job):
    answer = make_client().post("/api/v1/jobs", json={**job, "teacher": {"model": str(data_root / "teacher")}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_teacher")


MALFORMED = [
    b"", b"{", b"[]", b"null", b'"job"', b"\xff\xfe", b"[" * 100_000, b'{"a":NaN}', b'{"a":1,"a":2}',
    b'{"name":"\\ud800"}',
    b'{"name":"\\u0000"}', b"{" + b'"a":{' * 50_000, b'{"a":' + b"9" * 5000 + b"}", b"name: yaml", b'{"name":1e999}',
]  # fmt: skip


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:12]))
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/tokens"])
def test_malformed_bodies_are_the_callers_mistake(client, body: bytes, path: str):
    answer = client.post(path, content=body, headers=JSON)
    assert 400 <= answer.status_code < 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "code"}


@pytest.mark.parametrize("value", [None, 1, 1e300, -1, True, "x", [], {}, [[]], 2**80, "\u2028"])
@pytest.mark.parametrize("key", ["name", "teacher", "corpus", "space", "search", "latency", "workers", "distillation"])
def test_values_of_a_wrong_type_are_the_callers_mistake(make_client, data_root: Path, job, key: str, value: object):
    answer = make_client(data_root=data_root).post("/api/v1/jobs", json={**job, key: value})
    assert answer.status_code in (201, 404, 422), answer.text


def test_other_media_types_are_refused(client):
    answer = client.post("/api/v1/jobs", content=b"name: x", headers={"Content-Type": "application/yaml"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_jobs_are_listed_in_pages(client, workspace):
    for number in range(5):  # two share a moment, as jobs of one script may
        workspace.store.add_job(builders.new_job(f"job-{number}", created_at=NOW.replace(minute=number // 2)))
    first = client.get("/api/v1/jobs?limit=2").json()
    second = client.get("/api/v1/jobs", params={"limit": 2, "after": first["next"]}).json()
    third = client.get("/api/v1/jobs", params={"limit": 2, "after": second["next"]}).json()
    ids = [job["id"] for page in (first, second, third) for job in page["jobs"]]
    assert ids == ["job-4", "job-2", "job-3", "job-0", "job-1"] and third["next"] is None
    assert client.get("/api/v1/jobs?after=nothing").status_code == 404


def test_a_job_is_cancelled_and_resumed(client, workspace):
    workspace.store.add_job(builders.new_job("job-1"))
    assert client.post("/api/v1/jobs/job-1/cancel").json()["status"] == JobStatus.CANCELLED
    assert client.post("/api/v1/jobs/job-1/cancel").json()["code"] == "conflict"
    for _ in range(2):
        assert client.post("/api/v1/jobs/job-1/resume").json()["status"] == JobStatus.PENDING
    assert workspace.store.claim_next_job("owner", NOW, NOW).id == "job-1"


def test_a_finished_job_is_not_resumed(client, workspace):
    add_finished_job(workspace.store)
    assert client.post("/api/v1/jobs/job-1/resume").status_code == 409


MISSING = ["jobs/none", "jobs/none/leaderboard", "jobs/none/events", "jobs/none/candidates/1", "jobs/none/exports", "x"]


@pytest.mark.parametrize("path", MISSING)
def test_what_does_not_exist_is_not_found(client, path: str):
    answer = client.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "after=%00", "limits=5", "after=" + "a" * 65])
def test_wrong_queries_are_the_callers_mistake(client, query: str):
    answer = client.get(f"/api/v1/jobs?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
    assert json.loads(answer.content)["detail"].startswith("query ")


def test_a_cost_is_told_as_the_command_line_tells_it(client, workspace):
    add_finished_job(workspace.store)
    told, own = client.get("/api/v1/jobs/job-1/cost").json(), workspace.cost("job-1")
    assert told["work"] == asdict(own.work) and told["error"] == own.error
