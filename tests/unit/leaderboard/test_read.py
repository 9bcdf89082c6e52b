"""What rows say of layers. Ranking and filtering are walked end to end.

Tests ose/leaderboard/ranking.py, ose/leaderboard/csv.py and ose/core/former_names.py too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import builders
import pytest

from ose.core.inheritance import InheritanceSpec
from ose.core.layer_choice import LayerChoice
from ose.core.spec import SearchSpec
from ose.leaderboard.csv import flat_rows
from ose.leaderboard.read import Leaderboard, read_leaderboard
from ose.store.base import Store
from ose.store.database import open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{tmp_path}/store.db")) as store:
        yield store


def board(store: Store, choices: list[LayerChoice | None], **search: object) -> Leaderboard:
    """A job whose first candidate was trained and kept layers 0 and 3."""
    store.add_job(builders.new_job("job-1", spec=builders.job_spec(search=SearchSpec(**search))))
    store.claim_job("job-1", "owner", builders.NOW, builders.NOW)
    latency = store.add_latency("shape", "protocol", "device", builders.latency(), builders.NOW)
    store.record_teacher("job-1", "owner", latency_id=latency.id, quality=builders.teacher_quality())
    new = [builders.new_candidate(number, layers=layers) for number, layers in enumerate(choices, start=1)]
    candidates = store.add_candidates("job-1", "owner", new)
    store.attach_latency("job-1", "owner", [candidates[0].id], latency.id)
    store.open_trial("job-1", "owner", candidates[0].id, "trial", "worker", builders.NOW)
    kept = None if search.get("initialization") == "random" else (0, 3)
    store.record_success("trial", builders.evaluation(teacher_layers=kept), None, builders.NOW)
    return read_leaderboard(store, "job-1")


def test_layers_are_those_kept_or_else_the_choice(store: Store) -> None:
    found = board(store, ["top", "bottom", (1, 2), None], inheritance=InheritanceSpec(layers="even"))
    assert [row.layers for row in found.rows] == [(0, 3), "bottom", (1, 2), "even"]
    assert [row["layers"] for row in flat_rows(found.rows, found.metric_names)] == [[0, 3], "bottom", [1, 2], "even"]


def test_metrics_have_columns_whether_or_not_a_row_has_them(store: Store) -> None:
    found = board(store, [None, None])
    trained, waiting = flat_rows(found.rows, found.metric_names)
    assert found.metric_names == ("masked_lm_loss_nats", "masked_accuracy")
    names = ("masked_lm_loss_nats", "masked_lm_loss_nats_stderr", "masked_accuracy", "masked_accuracy_stderr")
    assert [trained[name] for name in names] == [5.0, 0.05, 0.2, 0.01]
    assert [waiting[name] for name in names] == [None] * 4
    assert list(trained) == list(waiting) and list(trained)[:2] == ["rank", "candidate"]


def test_the_former_names_say_what_the_metrics_say(store: Store) -> None:
    told = board(store, [None, None]).to_json()
    for entry in (told["teacher"], *told["rows"]):
        for name in ("masked_lm_loss_nats", "masked_accuracy"):
            assert entry[name] == entry["metrics"].get(name, {"value": None})["value"]
    assert told["rows"][0]["masked_accuracy"] == 0.2


def test_a_random_start_keeps_none(store: Store) -> None:
    assert [row.layers for row in board(store, [None, None], initialization="random").rows] == [None, None]
