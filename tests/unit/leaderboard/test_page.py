"""Pages made from memory are the leaderboard that is made from the database, whatever has happened in between.

Tests ose/leaderboard/cache.py and ose/leaderboard/row.py too.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import get_args

import builders
import pytest
from services import add_finished_job
from stored import start_trial

from ose.core.job import Candidate, CandidateStatus, Job
from ose.core.score import Score, ScoreRule
from ose.errors import EvaluationError, NotFoundError
from ose.leaderboard.cache import RankingCache, View
from ose.leaderboard.page import LeaderboardPage, LeaderboardPages
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.leaderboard.row import LeaderboardRow
from ose.store.base import Store
from ose.store.database import open_store
from ose.store.pages import Order

QUERIES = [
    LeaderboardQuery(),
    LeaderboardQuery(max_latency_ms=4.0),
    LeaderboardQuery(max_parameters=700, max_loss_nats=4.8),
    LeaderboardQuery(pareto=True),
    LeaderboardQuery(pareto=True, max_latency_ms=4.0),
    LeaderboardQuery(rule=ScoreRule(exponents=(0.0, 1.0, 2.0))),
    LeaderboardQuery(rule=ScoreRule(formula="excess"), max_loss_nats=4.8),
]


@pytest.fixture
def store(empty_sqlite: Path, tmp_path: Path) -> Iterator[Store]:
    file = tmp_path / "store.db"
    file.write_bytes(empty_sqlite.read_bytes())
    with closing(open_store(f"sqlite:///{file}")) as store:
        yield store


@pytest.fixture
def running(store: Store) -> Store:
    """A job with a measured teacher and no candidates yet."""
    store.add_job(builders.new_job("job-1"))
    store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
    teacher = store.add_latency("teacher", "p", "f", builders.latency(10.0), builders.NOW)
    store.record_teacher("job-1", "owner", quality=builders.teacher_quality(), latency_id=teacher.id)
    return store


def unlimited(_job: Job) -> LeaderboardQuery:
    return LeaderboardQuery()


def whole(pages: LeaderboardPages, store: Store, query: LeaderboardQuery, limit: int = 3) -> list[LeaderboardRow]:
    """All pages put together."""
    rows: list[LeaderboardRow] = []
    after: str | None = None
    while True:
        page: LeaderboardPage = pages.read("job-1", lambda job: query, limit, after, lambda page: page)
        rows += page.board.rows
        after = page.next
        assert (after is None) == (page.board.num_more == 0)
        if after is None:
            return rows


def happen(store: Store, draw: random.Random, number: int) -> None:
    """One more candidate, and something happens to one that is there."""
    store.add_candidates("job-1", "owner", [builders.new_candidate(number, num_parameters=100 * draw.randint(1, 9))])
    waiting = [each for each in store.candidates("job-1") if each.status is CandidateStatus.PENDING]
    for candidate in draw.sample(waiting, min(2, len(waiting))):
        draw.choice([measure, reject, score, fail])(store, draw, candidate)


def measure(store: Store, draw: random.Random, candidate: Candidate) -> None:
    latency = store.add_latency("s", "p", "f", builders.latency(float(draw.randint(1, 9))), builders.NOW)
    store.attach_latency("job-1", "owner", [candidate.id], latency.id)


def reject(store: Store, draw: random.Random, candidate: Candidate) -> None:
    store.reject_candidate("job-1", "owner", candidate.id, "too slow")


def score(store: Store, draw: random.Random, candidate: Candidate) -> None:
    measure(store, draw, candidate)
    start_trial(store, candidate, f"trial-{candidate.number}")
    evaluation = builders.evaluation(draw.randint(40, 52) / 10)
    rejection = draw.choice([None, None, None, "too bad"])
    store.record_success(f"trial-{candidate.number}", evaluation, Score(value=0.5, stderr=0.0), builders.NOW, rejection)


def fail(store: Store, draw: random.Random, candidate: Candidate) -> None:
    trial = f"failed-{candidate.number}-{candidate.num_attempts}"
    start_trial(store, candidate, trial)
    store.record_failure(trial, builders.failure(), builders.NOW, is_final=draw.random() < 0.5)


@pytest.mark.slow
@pytest.mark.parametrize("order", get_args(Order))
def test_pages_follow_what_happens(running: Store, order: Order) -> None:
    pages, draw = LeaderboardPages(running), random.Random(order)
    for number in range(1, 31):
        happen(running, draw, number)
        if number % 5 == 0:
            for query in (replace(each, order_by=order) for each in QUERIES):
                assert whole(pages, running, query) == list(read_leaderboard(running, "job-1", query).rows)


def test_many_changes_at_once_are_taken_in(running: Store) -> None:
    pages, draw = LeaderboardPages(running), random.Random(0)
    happen(running, draw, 1)
    before = whole(pages, running, QUERIES[0], 500)
    running.add_candidates("job-1", "owner", [builders.new_candidate(number) for number in range(2, 702)])
    assert len(whole(pages, running, QUERIES[0], 100)) == len(before) + 700


def test_what_was_written_is_kept_until_something_changes(running: Store) -> None:
    pages, written = LeaderboardPages(running), []

    def read() -> int:
        return pages.read("job-1", unlimited, 5, None, write)

    def write(page: LeaderboardPage) -> int:
        written.append(page)
        return len(page.board.rows)

    assert [read(), read(), len(written)] == [0, 0, 1]
    happen(running, random.Random(0), 1)
    assert [read(), read(), len(written)] == [1, 1, 2]
    running.release_job("job-1", "owner")
    read()
    assert len(written) == 3 and written[-1].board.job["status"] == "PENDING"


def test_jobs_seldom_asked_for_are_forgotten_and_read_again(store: Store) -> None:
    pages = LeaderboardPages(store)
    jobs = [add_finished_job(store, f"job-{number}", 2) for number in range(10)]
    for _ in range(2):
        for job in jobs:
            assert len(pages.read(job.id, unlimited, 5, None, lambda page: page.board.rows)) == 2


def test_scores_need_a_teacher(store: Store) -> None:
    store.add_job(builders.new_job("job-1"))
    store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
    score_one = random.Random(1)
    candidate = store.add_candidates("job-1", "owner", [builders.new_candidate(1)])[0]
    measure(store, score_one, candidate)
    start_trial(store, candidate, "trial-1")
    store.record_success("trial-1", builders.evaluation(), None, builders.NOW)
    with pytest.raises(EvaluationError, match="not been measured"):
        whole(LeaderboardPages(store), store, QUERIES[0])


def test_one_look_answers_all_that_were_asked_before_it(running: Store) -> None:
    ranking, everyone = RankingCache(running, "job-1"), View(order="candidate", rule=ScoreRule())
    before_s = monotonic()
    ranking.refresh(before_s)
    running.add_candidates("job-1", "owner", [builders.new_candidate(1)])
    ranking.refresh(before_s)
    assert len(ranking.ordered(everyone)) == 0
    ranking.refresh(monotonic())
    assert len(ranking.ordered(everyone)) == 1


def test_a_job_is_found_by_the_beginning_of_its_id(running: Store) -> None:
    pages = LeaderboardPages(running)
    for _ in range(2):
        assert pages.read("job", unlimited, 5, None, lambda page: page.board.job["id"]) == "job-1"
    with pytest.raises(NotFoundError):
        pages.read("another", unlimited, 5, None, lambda page: page)
