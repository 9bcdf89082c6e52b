"""Groups, distances and hints on leaderboards read from a database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from services import add_finished_job

from ose.core.score import ScoreRule
from ose.core.trust import LEADERS
from ose.leaderboard.csv import flat_rows
from ose.leaderboard.page import LeaderboardPages
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.store.base import Store
from ose.store.database import open_store

BY_LOSS = LeaderboardQuery(rule=ScoreRule(exponents=(0, 0, 1)))
INDIFFERENT = LeaderboardQuery(rule=ScoreRule(exponents=(0, 0, 0)))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def test_rows_tell_their_distance_from_the_best_one(store: Store) -> None:
    add_finished_job(store)
    best, second = read_leaderboard(store, "job-1", BY_LOSS).rows[:2]
    assert (best.group, best.loss_to_best_nats, best.score_to_best, best.score_to_best_stderr) == (1, 0, 0, 0)
    assert second.loss_to_best_nats == pytest.approx(0.1)
    assert second.score_to_best == pytest.approx(second.score - best.score)
    assert flat_rows([second], ())[0]["group"] == second.group == 2


def test_a_rule_under_which_none_is_ahead_gives_a_hint(store: Store) -> None:
    add_finished_job(store)
    by_loss, indifferent = (read_leaderboard(store, "job-1", query) for query in (BY_LOSS, INDIFFERENT))
    assert (by_loss.trust.num_not_apart, by_loss.hint) == (1, None)
    assert by_loss.trust.expected_tau == pytest.approx(1.0)
    assert [row.group for row in indifferent.rows] == [1] * 5
    assert indifferent.hint == "5 candidates do not differ at 10 steps: ose job extend job-1 --steps 30"
    assert indifferent.trust.expected_tau is None


def test_a_score_that_puts_the_smallest_first_is_told(store: Store) -> None:
    """On the whole board and on a page of it alike; not where the smallest is the best one, too."""
    add_finished_job(store)
    by_size, pages = LeaderboardQuery(rule=ScoreRule(exponents=(1, 0, 0))), LeaderboardPages(store)
    boards = [
        read_leaderboard(store, "job-1", by_size),
        pages.read("job-1", lambda job: by_size, 2, None, lambda page: page).board,
    ]
    for board in boards:
        assert board.rows[0].candidate == 1
        assert board.job["notes"][-1].startswith(
            "the first by its score is the smallest of 5 candidates, and others are"
        )
    assert not any("smallest" in note for note in read_leaderboard(store, "job-1", BY_LOSS).job["notes"])


def test_losses_after_other_steps_are_not_compared(store: Store, tmp_path: Path) -> None:
    add_finished_job(store)
    with closing(sqlite3.connect(tmp_path / "store.db")) as database, database:
        database.execute("UPDATE candidates SET num_steps = 30 WHERE number IN (4, 5)")
    board = read_leaderboard(store, "job-1", BY_LOSS)
    assert [(row.candidate, row.num_steps, row.group is None) for row in board.rows] == [
        (5, 30, False),
        (4, 30, False),
        (3, 10, True),
        (2, 10, True),
        (1, 10, True),
    ]
    assert board.trust is not None and board.trust.num_leaders == 2


def test_only_leaders_are_compared(store: Store) -> None:
    add_finished_job(store, count=LEADERS + 3)
    board = read_leaderboard(store, "job-1", BY_LOSS)
    assert [row.group is None for row in board.rows] == [False] * LEADERS + [True] * 3
    assert board.trust.num_leaders == LEADERS


def test_a_page_without_a_leader_says_nothing_of_trust(store: Store) -> None:
    add_finished_job(store, count=LEADERS + 3)
    pages = LeaderboardPages(store)
    first = pages.read("job-1", lambda job: LeaderboardQuery(), LEADERS, None, lambda page: page)
    assert first.board.trust is not None
    second = pages.read("job-1", lambda job: LeaderboardQuery(), LEADERS, first.next, lambda page: page)
    assert second.board.trust is None and len(second.board.rows) == 3


def test_limits_make_others_the_leaders(store: Store) -> None:
    add_finished_job(store)
    board = read_leaderboard(store, "job-1", LeaderboardQuery(rule=BY_LOSS.rule, max_latency_ms=3))
    assert [(row.candidate, row.group) for row in board.rows] == [(3, 1), (2, 2), (1, 3)]
