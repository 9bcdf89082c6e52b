"""A job's candidates in pages: every row once, in order, whatever they are ordered by.

Tests ose/store/leaderboard.py, ose/store/pages_base.py and ose/store/change_sequence.py too.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from math import inf, nan
from typing import get_args

import builders
import pytest
from builders import NOW
from sqlalchemy import text
from stored import claimed, start_trial

from ose.core.job import CandidateStatus
from ose.core.score import Score
from ose.store.base import Store
from ose.store.database import connect
from ose.store.pages import NO_LIMITS, CandidateLimits, CandidateRow, Order

ORDERS = get_args(Order)

SCORES = {1: 0.3, 2: 0.9, 3: 0.3, 4: 0.0, 5: 0.0, 6: None, 7: 0.5, 8: None}
"""By number; 6 waits, 7 is trained and beyond the limit on loss, 8 was too slow to be trained."""


@pytest.fixture
def store(store: Store) -> Store:
    """Eight candidates of a job, and one of another."""
    for job_id in ("job-2", "job-1"):
        claimed(store, job_id)
    store.add_candidates("job-2", "owner", [builders.new_candidate()])
    new = [builders.new_candidate(number, num_parameters=1000 - 100 * (number % 3)) for number in SCORES]
    for candidate in store.add_candidates("job-1", "owner", new):
        number, score = candidate.number, SCORES[candidate.number]
        if number != 6:
            latency = store.add_latency("shape", "protocol", "device", builders.latency(float(number % 4)), NOW)
            store.attach_latency("job-1", "owner", [candidate.id], latency.id)
        if number == 8:
            store.reject_candidate("job-1", "owner", candidate.id, "too slow")
        if score is not None:
            start_trial(store, candidate, f"trial-{number}")
            scored = Score(value=score, stderr=0.1)
            evaluation = builders.evaluation(4.0 + number % 2, teacher_layers=(0, 3))
            store.record_success(f"trial-{number}", evaluation, scored, NOW, "too bad" if number == 7 else None)
    return store


def pages(
    store: Store, order: Order, limit: int, limits: CandidateLimits = NO_LIMITS
) -> list[tuple[CandidateRow, ...]]:
    found, after = [], None
    while not found or after is not None:
        page = store.candidate_page("job-1", order=order, limit=limit, after=after, limits=limits)
        found.append(page.rows)
        after = page.end
        assert after is None or after.num_before == sum(map(len, found))
    return found


def numbers(rows: tuple[CandidateRow, ...]) -> list[int]:
    return [row.number for row in rows]


def test_a_row_has_the_figures_of_its_candidate(store: Store) -> None:
    row = store.candidate_page("job-1").rows[0]
    candidate = store.candidate("job-1", row.number)
    assert candidate.latency is not None and candidate.evaluation is not None
    shared = [field.name for field in fields(CandidateRow) if hasattr(candidate, field.name)]
    assert {"number", "status", "architecture", "score", "failure"} <= set(shared)
    assert [getattr(row, name) for name in shared] == [getattr(candidate, name) for name in shared]
    of_evaluation = ("loss_nats", "loss_stderr_nats", "metrics", "wall_time_s")
    for name in (*of_evaluation, "teacher_layers"):
        assert getattr(row, name) == getattr(candidate.evaluation, name)
    latency = (row.latency_p50_ms, row.latency_p50_stderr_ms, row.latency_p90_ms, row.latency_flagged)
    measured = candidate.latency
    assert latency == (measured.p50_ms, measured.p50_stderr_ms, measured.p90_ms, measured.is_flagged)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("score", [2, 1, 3, 4, 5, 6, 7, 8]),
        ("loss", [2, 4, 1, 3, 5, 7, 6, 8]),
        ("latency", [4, 8, 1, 5, 2, 3, 7, 6]),
        ("parameters", [2, 5, 8, 1, 4, 7, 3, 6]),
        ("candidate", [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_rows_are_ordered_best_first_and_those_without_the_value_come_last(
    store: Store, order: Order, expected: list[int]
) -> None:
    assert numbers(store.candidate_page("job-1", order=order).rows) == expected


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 2, 3, 8])
def test_pages_put_together_are_the_list(store: Store, order: Order, limit: int) -> None:
    whole = store.candidate_page("job-1", order=order)
    assert whole.end is None
    found = pages(store, order, limit)
    assert sum(found, ()) == whole.rows
    assert all(len(page) == limit for page in found[:-1]) and found[-1]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (CandidateLimits(max_latency_ms=1.0), {1, 4, 5}),
        (CandidateLimits(max_parameters=800), {2, 5}),
        (CandidateLimits(max_loss_nats=4.0), {2, 4}),
        (CandidateLimits(max_latency_ms=1.0, max_loss_nats=4.0), {4}),
        (CandidateLimits(max_parameters=10**12), {1, 2, 3, 4, 5}),
    ],
)
def test_limits_leave_what_passed_within_them(
    store: Store, order: Order, limits: CandidateLimits, expected: set[int]
) -> None:
    within = [row for row in store.candidate_page("job-1", order=order).rows if row.number in expected]
    assert [row for page in pages(store, order, 2, limits) for row in page] == within


def test_an_unknown_job_has_an_empty_page(store: Store) -> None:
    page = store.candidate_page("job-3")
    assert (page.rows, page.end) == ((), None)


def test_what_passed_is_compared_by_three_objectives(store: Store) -> None:
    found = store.objectives("job-1")
    assert [each.number for each in found] == [1, 2, 3, 4, 5]
    by_number = {row.number: row for row in store.candidate_page("job-1").rows}
    for each in found:
        row = by_number[each.number]
        expected = (row.num_parameters, row.latency_p50_ms, row.loss_nats)
        assert (each.num_parameters, each.latency_p50_ms, each.loss_nats) == expected
    assert [each.number for each in store.objectives("job-1", CandidateLimits(max_latency_ms=1.0))] == [1, 4, 5]


@pytest.mark.parametrize("stderr", [nan, inf])
def test_a_spread_that_is_no_number_is_no_figure(store: Store, stderr: float) -> None:
    candidate = store.candidate("job-1", 6)
    start_trial(store, candidate, "trial-6")
    evaluation = builders.evaluation(loss_stderr_nats=stderr)
    store.record_success("trial-6", evaluation, Score(value=1.0, stderr=stderr), NOW)
    row = store.candidate_page("job-1").rows[0]
    expected = None if stderr != stderr else inf
    assert (row.number, row.status, row.loss_stderr_nats) == (6, CandidateStatus.SUCCEEDED, expected)
    assert row.score_stderr == store.candidate("job-1", 6).score_stderr == expected


def test_jobs_come_in_pages(store: Store) -> None:
    for job_id in ("d", "b", "c"):
        store.add_job(builders.new_job(job_id, spec_hash=job_id))
    whole = store.jobs()
    assert [job.id for job in whole] == ["b", "c", "d", "job-1", "job-2"]
    assert store.jobs(limit=2, after="c") == whole[2:4]
    assert store.jobs(after="job-2") == store.jobs(after="unknown") == []
    assert [job.id for job in store.jobs(after="b", spec_hash="d")] == ["d"]


def test_rows_are_found_by_their_numbers(store: Store) -> None:
    by_number = {row.number: row for row in store.candidate_page("job-1").rows}
    assert store.candidate_rows("job-1", [7, 2, 99, 5]) == [by_number[7], by_number[2], by_number[5]]
    assert store.candidate_rows("job-1", []) == []


def test_the_first_look_finds_all(store: Store) -> None:
    found = store.changes("job-1").figures
    assert {each.number for each in found if each.has_rank} == {1, 2, 3, 4, 5}
    by_number = {row.number: row for row in store.candidate_page("job-1").rows}
    assert {each.number for each in found} == set(by_number)
    for each in found:
        row = by_number[each.number]
        assert each[1:4] == (row.num_parameters, row.latency_p50_ms, row.loss_nats)


def test_a_later_look_finds_what_was_done_since(store: Store) -> None:
    mark = store.changes("job-1").mark
    assert store.changes("job-1", mark).figures == ()
    candidate = store.candidate("job-1", 6)
    start_trial(store, candidate, "trial-6")
    opened = store.changes("job-1", mark)
    assert [(each.number, each.has_rank) for each in opened.figures] == [(6, False)]
    store.record_success("trial-6", builders.evaluation(4.0), Score(value=1.0, stderr=0.0), NOW)
    store.add_candidates("job-1", "owner", [builders.new_candidate(9), builders.new_candidate(10)])
    later = store.changes("job-1", opened.mark)
    assert sorted((each.number, each.loss_nats) for each in later.figures) == [(6, 4.0), (9, None), (10, None)]
    latency = store.add_latency("shape", "protocol", "device", builders.latency(7.0), NOW)
    ids = [store.candidate("job-1", number).id for number in (9, 10)]
    store.attach_latency("job-1", "owner", ids, latency.id)
    store.reject_candidate("job-1", "owner", ids[0], "too slow")
    last = store.changes("job-1", later.mark)
    assert sorted((each.number, each.latency_p50_ms) for each in last.figures) == [(9, 7.0), (10, 7.0)]
    store.add_candidates("job-2", "owner", [builders.new_candidate(2)])
    assert store.changes("job-1", last.mark).figures == ()


def test_what_is_committed_late_is_not_missed(store: Store, store_url: str) -> None:
    """A writer that began before a look, and ended after it, while another one overtook it."""
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite has one writer at a time")
    slow = text("UPDATE candidates SET loss_nats = 9, changed = CAST(CAST(pg_current_xact_id() AS text) AS bigint) "
                "WHERE job_id = 'job-1' AND number = 6")  # fmt: skip
    with closing(connect(store_url)) as transactions:
        with transactions.write() as connection:
            connection.execute(slow)
            store.reject_candidate("job-1", "owner", store.candidate("job-1", 6 + 2).id, "again")
            start_trial(store, store.add_candidates("job-1", "owner", [builders.new_candidate(9)])[0], "trial-9")
            look = store.changes("job-1")
            assert next(each for each in look.figures if each.number == 6).loss_nats is None
        assert (6, 9.0) in [(each.number, each.loss_nats) for each in store.changes("job-1", look.mark).figures]
