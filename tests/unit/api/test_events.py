"""Server-sent events of a job."""

from __future__ import annotations

import json
import threading
import time
from datetime import timedelta

import builders
from builders import NOW
from processes import eventually
from services import add_finished_job

from ose.core.job import JobStatus

EVENTS = "/api/v1/jobs/job-1/events"


def parse(text: str) -> list[tuple[str, dict]]:
    """Ids and data."""
    events = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        events.append((lines["id"], json.loads(lines["data"])))
    return events


def test_changes_are_told_until_the_job_ends(client, workspace):
    store = workspace.store
    store.add_job(builders.new_job("job-1"))

    def go_on() -> None:
        assert eventually(lambda: client.app.state.broadcaster._followers)  # the first state has been seen
        time.sleep(0.2)
        store.claim_job("job-1", "owner", NOW, NOW + timedelta(hours=1))
        store.add_candidates("job-1", "owner", [builders.new_candidate()])
        time.sleep(0.2)
        store.finish_job("job-1", "owner", JobStatus.FAILED, NOW, builders.failure())

    thread = threading.Thread(target=go_on)
    thread.start()
    answer = client.get(EVENTS)
    thread.join()
    assert answer.headers["content-type"].startswith("text/event-stream")
    states = [state for _, state in parse(answer.text)]
    assert states[0]["status"] == "PENDING" and states[-1]["status"] == "FAILED"
    assert states[-1]["error"] == {"code": "out_of_memory", "message": "no memory left"}
    assert {"PENDING": 1} in [state["candidates"] for state in states]


def test_who_comes_back_is_told_what_is_new(client, workspace):
    workspace.store.add_job(builders.new_job("job-1"))
    workspace.store.cancel_job("job-1", NOW)
    [(last, state)] = parse(client.get(EVENTS, headers={"Last-Event-ID": "PENDING;"}).text)
    assert state["status"] == "CANCELLED"
    assert client.get(EVENTS, headers={"Last-Event-ID": last}).status_code == 204


def test_an_ended_job_is_told_once(client, workspace):
    add_finished_job(workspace.store)
    assert [state["candidates"] for _, state in parse(client.get(EVENTS).text)] == [{"SUCCEEDED": 5}]
