from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import builders
import pytest

from ose.core.measurement import LatencyMeasurement
from ose.core.score import Score
from ose.leaderboard.page import LeaderboardPages
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.store.base import Store
from ose.store.database import open_store
from ose.store.new_rows import NewLatency

BUSY = "`ose job remeasure job-1` measures them again"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def filled(store: Store, teacher: LatencyMeasurement, *latencies: LatencyMeasurement) -> Store:
    """A job whose candidates have these latencies; all have passed."""
    store.add_job(builders.new_job("job-1"))
    store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
    stored = store.add_latency("teacher", "p", "d", teacher, builders.NOW)
    store.record_teacher("job-1", "owner", latency_id=stored.id, quality=builders.teacher_quality())
    new = [builders.new_candidate(number) for number in range(1, len(latencies) + 1)]
    for candidate, latency in zip(store.add_candidates("job-1", "owner", new), latencies, strict=True):
        own = store.add_latency("shape", "p", "d", latency, builders.NOW)
        store.attach_latency("job-1", "owner", [candidate.id], own.id)
        store.open_trial("job-1", "owner", candidate.id, f"trial-{candidate.number}", "worker", builders.NOW)
        score = Score(value=0.1, stderr=0.0)
        store.record_success(f"trial-{candidate.number}", builders.evaluation(), score, builders.NOW)
    return store


def headlines(store: Store, query: LeaderboardQuery | None = None) -> tuple[str, ...]:
    """What the board says, which is what a page of it says."""
    query = query or LeaderboardQuery()
    found = read_leaderboard(store, "job-1", query).headlines
    page = LeaderboardPages(store).read("job-1", lambda _: query, 10, None, lambda page: page.board.headlines)
    assert page == found
    return found


def test_a_calm_board_has_none(store: Store) -> None:
    filled(store, builders.latency(100.0), builders.latency(9.0))
    assert headlines(store) == ()
    assert headlines(store, LeaderboardQuery(max_latency_ms=10.0)) == ()


def test_noise_is_told_with_the_way_out(store: Store) -> None:
    filled(store, builders.latency(100.0), builders.latency(9.0), builders.latency(8.0, is_flagged=True))
    assert headlines(store) == (f"the machine was busy: 1 of 2 latencies are too noisy to believe; {BUSY}",)


def test_the_teachers_noise_is_told_too(store: Store) -> None:
    filled(store, builders.latency(100.0, is_flagged=True), builders.latency(9.0))
    [line] = headlines(store)
    assert line == f"the machine was busy: 0 of 1 latencies and the teacher's are too noisy to believe; {BUSY}"


def test_where_nothing_is_fast_enough_the_fastest_that_is_believed_is_named(store: Store) -> None:
    filled(store, builders.latency(100.0), builders.latency(9.0), builders.latency(7.5), builders.latency(7.0))
    [line] = headlines(store, LeaderboardQuery(max_latency_ms=5.0))
    assert line == "no candidate is within 5 ms; the fastest, number 3, takes 7.00 ms"
    [line] = headlines(store, LeaderboardQuery(max_latency_ms=8.0, max_loss_nats=0.001))
    assert line == "no candidate is within all limits; the fastest, number 3, takes 7.00 ms"


def test_a_noisy_one_is_named_only_if_there_is_no_other(store: Store) -> None:
    filled(store, builders.latency(100.0), builders.latency(9.0), builders.latency(7.0, is_flagged=True))
    lines = headlines(store, LeaderboardQuery(max_latency_ms=5.0))
    assert lines[1] == "no candidate is within 5 ms; the fastest, number 1, takes 9.00 ms"


def test_what_takes_the_place_of_a_latency_is_ranked_anew(store: Store) -> None:
    filled(store, builders.latency(100.0), builders.latency(9.0, is_flagged=True), builders.latency(8.0))
    pages = LeaderboardPages(store)
    read = (lambda _: LeaderboardQuery(), 10, None, lambda page: [row.candidate for row in page.board.rows])
    assert pages.read("job-1", *read) == [2, 1]
    new = store.add_latency("shape", "p", "d", builders.latency(1.0, ratio=0.01, ratio_stderr=1e-4), builders.NOW)
    candidate = store.candidate("job-1", 1)
    change = NewLatency(candidate_id=candidate.id, latency_id=new.id, score=Score(value=0.7, stderr=0.01))
    store.replace_latencies("job-1", "owner", [change])
    assert pages.read("job-1", *read) == [1, 2]
    row = read_leaderboard(store, "job-1").rows[0]
    assert (row.latency_p50_ms, row.latency_ratio, row.latency_flagged) == (1.0, 0.01, False)
    assert headlines(store) == () and row.error is None
