"""Processes that answer one question after the other, and can be ended.

Tests ose/jobs/checker_process.py too.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ose.jobs.checker_process import DONE, LENGTH, REFUSED
from ose.jobs.checker_tasks import Question
from ose.jobs.checkers import Checker, Checkers
from ose.store.database import open_store

pytestmark = pytest.mark.processes


@pytest.fixture
def checkers() -> Iterator[Checkers]:
    checkers = Checkers()
    yield checkers
    checkers.close()


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'ose.db'}"
    open_store(url).close()
    return url


def ask(checker: Checker, database: str, task: str = "cost", **arguments: Any) -> bytes:
    arguments = arguments or {"job_id": "none"}
    question = Question(task=task, database=database, home="home", arguments=arguments).to_bytes()
    checker.channel.settimeout(60)
    checker.channel.sendall(LENGTH.pack(len(question)) + question)
    size = LENGTH.unpack(checker.channel.recv(LENGTH.size, socket.MSG_WAITALL))[0]
    answer = checker.channel.recv(size, socket.MSG_WAITALL)
    checker.channel.setblocking(False)
    return answer


def test_a_checker_answers_again_and_again(checkers: Checkers, database: str) -> None:
    checkers.start()
    checker = checkers.new()
    for _ in range(2):
        assert ask(checker, database).startswith(REFUSED + b"not_found ")
    assert checker.lives()


def test_one_that_is_ended_is_gone_and_the_others_stay(checkers: Checkers, database: str) -> None:
    first, second = checkers.new(), checkers.new()
    ask(first, database)
    ask(second, database)
    first.end()
    assert not first.lives() and second.lives()
    assert ask(second, database).startswith(REFUSED)
    assert ask(checkers.new(), database).startswith(REFUSED)


def test_a_fault_of_ours_is_no_answer_and_ends_nothing(checkers: Checkers, database: str) -> None:
    checker = checkers.new()
    answer = ask(checker, database, task="unheard of")
    assert not answer.startswith((DONE, REFUSED))
    assert ask(checker, database).startswith(REFUSED)


def test_closed_twice_they_are_closed() -> None:
    checkers = Checkers()
    checker = checkers.new()
    for _ in range(2):
        checkers.close()
    assert not checker.lives()
