"""A board's reference rows, and the shares that rows have beside them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import builders
import pytest
from builders import NOW
from stored import put_classified

from ose.client import parsing
from ose.core.job import ErrorDetail, JobStatus
from ose.core.measurement import Metric
from ose.core.plain import plain
from ose.core.reference import BAG_OF_WORDS, HALF_DEPTH, Reference
from ose.leaderboard.candidate import candidate_json
from ose.leaderboard.csv import write_csv
from ose.leaderboard.page import LeaderboardPages
from ose.leaderboard.read import LeaderboardQuery, read_leaderboard
from ose.store.base import Store
from ose.store.database import open_store

TEACHER, STUDENT, BAG = (
    {"accuracy": Metric(value=value, stderr=0.01), "agreement": Metric(value=agreement, stderr=0.0)}
    for value, agreement in ((0.9, 1.0), (0.85, 0.9), (0.8, 0.8))
)
REFERENCES = (
    Reference(
        name=HALF_DEPTH,
        learns="teacher",
        architecture=builders.architecture(),
        num_parameters=500,
        num_steps=10,
        latency=builders.latency(3.0, is_flagged=True),
        loss_nats=0.001,
        loss_stderr_nats=0.0001,
        metrics=TEACHER,
    ),
    Reference(name=BAG_OF_WORDS, learns="labels", num_parameters=9, loss_nats=2.0, loss_stderr_nats=0.1, metrics=BAG),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def put_job(store: Store, metrics: Any = STUDENT) -> None:
    put_classified(store, (), teacher=TEACHER, student=metrics)


def put_references(store: Store) -> None:
    for each in REFERENCES:
        store.add_reference("job-1", "owner", each, NOW)


def _csv(store: Store) -> list[dict[str, str]]:
    board, text = read_leaderboard(store, "job-1"), io.StringIO()
    write_csv(board.rows, board.metric_names, text, board.references)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def test_a_row_has_its_share_of_the_teachers_and_of_the_lead_over_the_bag(store: Store) -> None:
    put_job(store)
    put_references(store)
    [row] = read_leaderboard(store, "job-1").rows
    assert row.metrics["share_kept"].value == pytest.approx(0.85 / 0.9)
    assert row.metrics["share_of_lead"].value == pytest.approx(0.5)
    assert list(row.metrics)[:2] == list(STUDENT)
    assert candidate_json(store, "job-1", 1)["metrics"] == plain(row)["metrics"]


def test_without_a_bag_there_is_no_lead(store: Store) -> None:
    put_job(store)
    [row] = read_leaderboard(store, "job-1").rows
    assert "share_kept" in row.metrics and "share_of_lead" not in row.metrics
    assert read_leaderboard(store, "job-1").to_json()["references"] == []


def test_references_have_shares_but_the_bag_none_of_its_own_lead(store: Store) -> None:
    put_job(store)
    put_references(store)
    half, bag = read_leaderboard(store, "job-1").references or ()
    assert half.metrics["share_of_lead"].value == pytest.approx(1.0)
    assert "share_kept" in bag.metrics and "share_of_lead" not in bag.metrics
    assert (half.latency_p50_ms, half.latency_flagged, bag.latency_p50_ms) == (3.0, True, None)


def test_the_best_of_them_all_has_no_rank(store: Store) -> None:
    put_job(store)
    before = read_leaderboard(store, "job-1")
    put_references(store)
    after = read_leaderboard(store, "job-1")
    assert [(row.rank, row.candidate, row.group) for row in after.rows] == [
        (row.rank, row.candidate, row.group) for row in before.rows
    ]
    assert after.trust == before.trust and after.num_more == 0


@pytest.mark.parametrize("metrics", [{}, {"agreement": Metric(value=0.9, stderr=0.01)}])
def test_a_row_without_the_first_metric_has_no_shares(store: Store, metrics: dict[str, Metric]) -> None:
    put_job(store, metrics=metrics)
    [row] = read_leaderboard(store, "job-1").rows
    assert row.metrics == metrics


def test_a_board_of_masked_language_models_knows_nothing_of_it(store: Store) -> None:
    masked = builders.metrics(5.0, 0.2)
    put_classified(store, (), teacher=masked, student=masked, task="fill_mask")
    put_references(store)  # which no such job has
    board = read_leaderboard(store, "job-1")
    assert board.references is None and "references" not in board.to_json()
    assert set(board.rows[0].metrics) == {"masked_lm_loss_nats", "masked_accuracy"}
    assert "reference" not in _csv(store)[0]


def test_in_csv_they_follow_the_candidates_under_a_name(store: Store) -> None:
    put_job(store)
    put_references(store)
    candidate, half, bag = _csv(store)
    assert (candidate["candidate"], candidate["reference"], candidate["rank"]) == ("1", "", "1")
    assert [(each["candidate"], each["rank"], each["reference"]) for each in (half, bag)] == [
        ("", "", HALF_DEPTH),
        ("", "", BAG_OF_WORDS),
    ]
    assert (half["architecture.num_hidden_layers"], bag["architecture.num_hidden_layers"]) == ("2", "")
    assert (half["learns"], bag["learns"], bag["accuracy"]) == ("teacher", "labels", "0.8")


def test_a_page_tells_of_those_that_were_made_since_it_was_last_asked_for(store: Store) -> None:
    put_job(store)
    pages = LeaderboardPages(store)

    def read() -> list[str]:
        page = pages.read("job-1", lambda job: LeaderboardQuery(), 50, None, lambda page: page)
        return [each["name"] for each in page.to_json()["references"]]

    assert read() == []
    put_references(store)
    assert read() == [HALF_DEPTH, BAG_OF_WORDS]
    store.finish_job("job-1", "owner", JobStatus.SUCCEEDED, NOW)
    assert read() == [HALF_DEPTH, BAG_OF_WORDS]


def test_a_board_from_elsewhere_is_the_same(store: Store) -> None:
    put_job(store)
    put_references(store)
    failed = Reference(name="static_embedding", learns="labels", error=ErrorDetail(code="corpus", message="none"))
    store.add_reference("job-1", "owner", failed, NOW)
    board = read_leaderboard(store, "job-1")
    assert parsing.leaderboard(board.to_json()).references == board.references
