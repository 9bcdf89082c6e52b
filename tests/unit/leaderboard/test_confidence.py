"""Groups, distances and hints on leaderboards read from a database."""

from __future__ import annotations

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
