"""Submissions and questions that hang, fill every thread, or outlive their caller: the server answers.

Each attack is on a real `ose serve`. Times are generous, since machines that test are busy; what did not hold before
took minutes or for ever.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from floods import (
    JOBS,
    SOON_S,
    Answer,
    Server,
    assert_is_served,
    at_once,
    head,
    job,
    open_files,
    serving,
    silent_hub,
)
from processes import eventually

SUBMISSIONS = {"door": "floods", "fault": "slow submissions stop the server"}
DEADLINE = {"door": "floods", "fault": "a submission that hangs holds its place for ever"}
LEFT = {"door": "floods", "fault": "a submission goes on after its caller has left"}
ONE_TOKEN = {"door": "floods", "fault": "one token takes every place"}
THREADS = {"door": "floods", "fault": "requests that wait for the database take every thread"}
PROCESSES = {"door": "floods", "fault": "what checks outlives its server"}


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with silent_hub() as url:
        yield url


HANGS = {
    "a teacher of a silent hub": {"teacher": {"model": "somebody/model"}},
    "a dataset of a silent hub": {"corpus": {"train": ["hf:somebody/text"], "sequence_length": 16}},
    "a text without end": {"corpus": {"train": ["endless.txt"], "sequence_length": 16}},
}


def hangs(how: str) -> dict[str, Any]:
    return job(**HANGS[how])


@pytest.mark.long
@pytest.mark.attack(**SUBMISSIONS, how="as found")
def test_forty_slow_submissions(tmp_path: Path, data_root: Path, hub: str) -> None:
    with serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server:
        assert server.ask("POST", JOBS, job(), by="good").status == 201
        with at_once(server, 40, "POST", JOBS, hangs("a teacher of a silent hub"), by="slow"):
            assert eventually(lambda: len(server.checkers()) >= 4)
            assert_is_served(server, by="good")
            assert len(server.checkers()) <= 5


@pytest.mark.flood
@pytest.mark.parametrize("how", list(HANGS)[1:])
@pytest.mark.attack(**SUBMISSIONS, how="through a dataset's name, and a text of 200 GiB, both from several tokens")
def test_slow_submissions_of_other_kinds(tmp_path: Path, data_root: Path, hub: str, how: str) -> None:
    with (
        serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server,
        at_once(server, 40, "POST", JOBS, hangs(how), by="slow"),
    ):
        assert eventually(lambda: len(server.checkers()) >= 4)
        assert_is_served(server, by="good")


@pytest.mark.attack(**DEADLINE, how="as found")
def test_a_hub_that_says_nothing_is_given_up(tmp_path: Path, data_root: Path, hub: str) -> None:
    limits = {"OSE_MAX_SUBMISSION_S": "2", "OSE_MAX_SUBMISSIONS": "1", "HF_ENDPOINT": hub}
    with serving(tmp_path, data_root, more=limits) as server:
        assert_ends(server, server.ask("POST", JOBS, hangs("a teacher of a silent hub")))


@pytest.mark.attack(**DEADLINE, how="a text of 200 GiB, under a key")
def test_a_text_without_end_is_given_up(tmp_path: Path, data_root: Path) -> None:
    limits = {"OSE_MAX_SUBMISSION_S": "2", "OSE_MAX_SUBMISSIONS": "1"}
    with serving(tmp_path, data_root, more=limits) as server:
        asked = "POST", JOBS, hangs("a text without end")
        assert_ends(server, server.ask(*asked, **{"Idempotency-Key": "a"}))
        assert server.ask("POST", JOBS, job(), **{"Idempotency-Key": "a"}).status == 201  # the key stands for nothing


def assert_ends(server: Server, answer: Answer) -> None:
    assert answer.status == 422 and answer.seconds < 10, answer
    assert answer.problem["code"] == "too_slow" and "OSE_MAX_SUBMISSION_S" in answer.problem["detail"]
    assert server.ask("GET", JOBS).body.count(b'"id"') == 0
    assert server.ask("POST", JOBS, job(name="good")).status == 201  # the one place is free again


@pytest.mark.attack(**LEFT, how="as found")
def test_a_pattern_over_many_folders_ends_when_its_caller_leaves(tmp_path: Path, data_root: Path) -> None:
    make_tree(data_root / "tree")
    pattern = job(corpus={"train": ["tree/" + "*/" * 5 + "**/*.txt"], "sequence_length": 16})
    assert_ends_with_its_caller(tmp_path, data_root, pattern)


@pytest.mark.attack(**LEFT, how="while the hub says nothing")
def test_a_question_to_the_hub_ends_when_its_caller_leaves(tmp_path: Path, data_root: Path, hub: str) -> None:
    assert_ends_with_its_caller(tmp_path, data_root, hangs("a teacher of a silent hub"), HF_ENDPOINT=hub)


def make_tree(top: Path, width: int = 7, depth: int = 5) -> None:
    """Some twenty thousand folders without a text."""
    top.mkdir()
    for number in range(width):
        if depth:
            make_tree(top / str(number), width, depth - 1)


def assert_ends_with_its_caller(home: Path, data_root: Path, content: dict[str, Any], **more: str) -> None:
    import json

    with serving(home, data_root, more={"OSE_MAX_SUBMISSIONS": "1", **more}) as server:
        assert server.ask("POST", JOBS, job()).status == 201
        [first] = server.checkers()
        body = json.dumps(content).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        with server.connect(head("POST", JOBS, **fields) + body):
            time.sleep(0.5)
        assert eventually(lambda: not first.is_running() or first.status() == psutil.STATUS_ZOMBIE, within_s=10)
        assert server.ask("POST", JOBS, job()).status == 201


@pytest.mark.flood
@pytest.mark.attack(**ONE_TOKEN, how="as found")
def test_a_thousand_hanging_submissions_of_one_token(tmp_path: Path, data_root: Path, hub: str) -> None:
    open_files(3000)
    with serving(tmp_path, data_root, ("slow", "good"), {"HF_ENDPOINT": hub}) as server:
        assert server.ask("POST", JOBS, job(), by="good").status == 201
        with at_once(server, 1000, "POST", JOBS, hangs("a teacher of a silent hub"), by="slow") as answers:
            assert eventually(lambda: len(server.checkers()) >= 4)
            assert_is_served(server, by="good")
            assert eventually(lambda: len(answers) > 900, within_s=60)
            assert_is_served(server, by="good")
        assert {answer.status for answer in answers} == {503}
        assert all("OSE_MAX_" in answer.problem["detail"] and answer.headers["retry-after"] for answer in answers)


@pytest.mark.attack(**ONE_TOKEN, how="with bodies that never end")
def test_bodies_that_never_end_take_no_others_places(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root, ("slow", "good"), {"OSE_MAX_WAIT_S": "1"}) as server, ExitStack() as held:
        fields = {"Content-Type": "application/json", "Content-Length": "900000", **server.credentials("slow")}
        for _ in range(100):
            held.enter_context(server.connect(head("POST", JOBS, **fields) + b'{"name": "' + b"x" * 50_000))
        assert_is_served(server, by="good")
        refused = server.ask("POST", JOBS, job(), by="slow")
        assert refused.status == 503 and "OSE_MAX_BODIES" in refused.problem["detail"]


@pytest.mark.attack(**THREADS, how="a hundred changes while another process keeps the database locked")
def test_changes_that_wait_for_the_database(tmp_path: Path, data_root: Path) -> None:
    with serving(tmp_path, data_root, ("many", "good"), {"OSE_MAX_WAIT_S": "1"}) as server:
        job_id = server.ask("POST", JOBS, job(), by="many").problem["id"]
        with closing(sqlite3.connect(tmp_path / "ose.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with at_once(server, 100, "POST", f"{JOBS}/{job_id}/cancel", by="many") as answers:
                assert eventually(lambda: len(answers) >= 90)
                assert {answer.status for answer in answers} == {503}
                assert all("OSE_MAX_CHANGES" in answer.problem["detail"] for answer in answers)
                assert server.slowest_health_s() < SOON_S
                for path in (JOBS, f"{JOBS}/{job_id}", "/readyz"):
                    answer = server.ask("GET", path, by="good")
                    assert answer.status == 200 and answer.seconds < SOON_S
                other.execute("COMMIT")
        assert server.ask("POST", f"{JOBS}/{job_id}/resume", by="many").status == 200


@pytest.mark.attack(**THREADS, how="a hundred costs of a large space at once")
def test_costs_are_worked_out_elsewhere(tmp_path: Path, data_root: Path) -> None:
    axes = {"hidden_size": list(range(4, 4004, 4)), "intermediate_size": list(range(1, 101))}
    space = {"num_hidden_layers": [1, 2], "num_attention_heads": [4], **axes}
    large = job(space=space, search={"strategy": "random", "num_candidates": 100_000, "initialization": "random"})
    with serving(tmp_path, data_root, ("many", "good"), {"OSE_MAX_WAIT_S": "1", "OSE_MAX_SUBMISSION_S": "2"}) as server:
        made = server.ask("POST", JOBS, large, by="many")
        assert made.status == 201, made.body
        with at_once(server, 100, "GET", f"{JOBS}/{made.problem['id']}/cost", by="many"):
            assert server.slowest_health_s() < SOON_S
            assert server.ask("POST", JOBS, job(), by="good").status == 201


@pytest.mark.attack(**PROCESSES, how="a server that is killed while the hub says nothing")
def test_checkers_end_with_their_server(tmp_path: Path, data_root: Path, hub: str) -> None:
    with (
        serving(tmp_path, data_root, more={"HF_ENDPOINT": hub}) as server,
        at_once(server, 6, "POST", JOBS, hangs("a teacher of a silent hub")),
    ):
        assert eventually(lambda: len(server.checkers()) == 6)
        below = server.process.children(recursive=True)
        server.process.kill()
        assert not psutil.wait_procs(below, timeout=10)[1]


@pytest.mark.attack(**PROCESSES, how="the process that makes them is killed")
def test_a_server_makes_new_checkers(tmp_path: Path, data_root: Path, hub: str) -> None:
    with serving(tmp_path, data_root, more={"HF_ENDPOINT": hub}) as server:
        with at_once(server, 2, "POST", JOBS, hangs("a teacher of a silent hub")) as answers:
            assert eventually(lambda: len(server.checkers()) == 2)
            below = server.process.children(recursive=True)
            server.process.children()[0].kill()
            assert not psutil.wait_procs(below[1:], timeout=10)[1]
            assert eventually(lambda: [answer.status for answer in answers] == [422, 422])
        assert server.ask("POST", JOBS, job()).status == 201
