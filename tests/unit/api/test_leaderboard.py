"""Leaderboards in pages, as JSON and CSV; one candidate.

Tests ose/api/responses.py too.
"""

from __future__ import annotations

import csv
import io
from math import nan

import builders
import pytest
from services import add_finished_job

from ose.core.score import Score

BOARD = "/api/v1/jobs/job-1/leaderboard"


@pytest.fixture
def board(workspace, client):
    """Ask for a page of a job of five candidates."""
    add_finished_job(workspace.store)
    return lambda **query: client.get(BOARD, params=query)


QUERIES = [{}, {"pareto": "true"}, {"exponents": "0,0,1"}, {"max_loss_nats": 10}]


@pytest.mark.slow
@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("order", ["score", "loss", "latency", "parameters", "candidate"])
def test_pages_put_together_are_the_whole(board, workspace, order: str, query: dict[str, object]):
    rows, after = [], None
    while True:
        page = board(order_by=order, limit=2, **query, **({"after": after} if after else {})).json()
        rows, after = rows + page["rows"], page["next"]
        assert page["num_more"] == 5 - len(rows)
        if after is None:
            break
    whole = board(order_by=order, **query).json()
    assert whole["next"] is None and rows == whole["rows"] and len(rows) == 5


def test_names_and_values_are_those_of_the_command_line(board, workspace):
    told = board().json()
    own = workspace.leaderboard("job-1").to_json()
    assert set(told) - {"next"} == set(own) and list(told["rows"][0]) == list(own["rows"][0])
    assert [row["score"] for row in told["rows"]] == [row["score"] for row in own["rows"]]


def test_filters_and_rules(board):
    assert [row["candidate"] for row in board(max_latency_ms=2, order_by="candidate").json()["rows"]] == [1, 2]
    assert len(board(pareto="true").json()["rows"]) == 5
    largest = max(row["num_parameters"] for row in board().json()["rows"])
    assert len(board(max_parameters=largest - 1).json()["rows"]) == 4
    assert len(board(max_loss_nats=5.65).json()["rows"]) == 2
    by_loss = board(exponents="0,0,1").json()
    assert by_loss["job"]["score"]["exponents"] == [0, 0, 1] and by_loss["rows"][0]["candidate"] == 5


WRONG = [
    {"order_by": "name"}, {"limit": 0}, {"max_latency_ms": "nan"}, {"max_latency_ms": "inf"}, {"exponents": "1,2"},
    {"exponents": "nan,1,1"}, {"exponents": "1,1,1000"}, {"after": "x"}, {"after": "é"}, {"after": "W10"},
    {"pareto": "perhaps"}, {"max_parameters": 10**30}, {"max_latency": 5},
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("query", WRONG, ids=str)
def test_wrong_questions_are_the_callers_mistake(board, query):
    answer = board(**query)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


def test_a_place_in_another_order_is_refused(board):
    after = board(limit=1).json()["next"]
    assert "another order" in board(order_by="loss", after=after).json()["detail"]


def test_csv_has_the_same_rows_and_names_the_next_page(board, client):
    page = board(format="csv", limit=2)
    assert page.headers["content-type"].startswith("text/csv")
    following = client.get(page.headers["Link"].partition(">")[0].removeprefix("<"))
    rows = [row for part in (page, following) for row in csv.DictReader(io.StringIO(part.text))]
    told = board(limit=4).json()["rows"]
    assert [int(row["candidate"]) for row in rows] == [row["candidate"] for row in told]
    assert int(rows[0]["architecture.hidden_size"]) == told[0]["architecture"]["hidden_size"]


def test_a_page_of_an_empty_leaderboard(client, workspace):
    workspace.store.add_job(builders.new_job("job-1"))
    assert client.get(BOARD).json()["rows"] == []
    assert client.get(BOARD, params={"format": "csv"}).status_code == 200


def test_a_candidate_with_all_that_was_measured(board, client):
    board()
    told = client.get("/api/v1/jobs/job-1/candidates/2").json()
    assert told["evaluation"]["training_losses_nats"] == [6.0, 5.5]
    assert told["latency"]["samples_ms"] == pytest.approx([1.8, 2.0, 2.2])
    assert [trial["status"] for trial in told["trials"]] == ["SUCCEEDED"] and told["rank"] is not None
    assert client.get("/api/v1/jobs/job-1/candidates/6").status_code == 404
    for wrong in ("0", "x", str(2**40)):
        assert client.get(f"/api/v1/jobs/job-1/candidates/{wrong}").status_code == 422


def test_what_is_no_number_is_null(client, workspace):
    job = add_finished_job(workspace.store, count=1)
    store = workspace.store
    store.requeue_job(job.id)
    with store._transactions.write() as connection:
        connection.exec_driver_sql("UPDATE jobs SET status = 'RUNNING', lease_owner = 'owner'")
    store.add_candidates(job.id, "owner", [builders.new_candidate(2)])
    candidate = store.candidate(job.id, 2)
    latency = store.add_latency("s", "p", "f", builders.latency(), builders.NOW)
    store.attach_latency(job.id, "owner", [candidate.id], latency.id)
    store.open_trial(job.id, "owner", candidate.id, "t", "w", builders.NOW)
    store.record_success("t", builders.evaluation(loss_stderr_nats=nan), Score(value=0.1, stderr=nan), builders.NOW)
    rows = client.get(BOARD, params={"order_by": "candidate"}).json()["rows"]
    assert rows[1]["loss_stderr_nats"] is None and rows[1]["score_stderr"] is None
