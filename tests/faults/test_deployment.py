"""The whole service on machines of its own, used over HTTP, and struck while it works.

The long run of the same strikes is benchmarks/faults/faults.py.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from random import Random

import pytest
from cluster import Cluster, cluster
from damage import SEARCH, SEARCH_FAULTS, assert_whole, num_scored
from fault_jobs import FOUR
from machines import why_no_machines
from materials import put_materials
from postgres import find_postgres
from processes import eventually

from ose.store.base import Store
from ose.store.database import open_store

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(bool(why_no_machines()), reason=f"machines cannot be made here: {why_no_machines()}"),
    pytest.mark.skipif(find_postgres() is None, reason="there is no PostgreSQL"),
]

SEED = 20261121
WITHIN_S = 240.0
SEARCHED = {
    **SEARCH,
    "space": {**SEARCH["space"], "num_attention_heads": [2], "hidden_size": [16]},
    "search": {**SEARCH["search"], "hyperparameters": FOUR},
    "latency": {"sequence_length": 16, "seconds_per_shape": 0.01},
}
"""Eight candidates of two shapes."""


@pytest.fixture(scope="module")
def place() -> Iterator[Cluster]:
    with cluster(nodes=("left", "right"), latency_node="right") as place:
        put_materials(place)
        place.start_coordinator()
        yield place


@pytest.fixture
def store(place: Cluster) -> Iterator[Store]:
    with closing(open_store(place.store_url)) as store:
        yield store


class Watch:
    """Looks again and again where latency is being measured."""

    def __init__(self, place: Cluster) -> None:
        self._place = place
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen_on: set[str] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._is_over.wait(0.5):
            machines = self._place.lan.machines
            self.seen_on |= {machine.name for machine in machines if machine.processes("ose.latency.process")}


@pytest.mark.long
def test_a_search_over_http_measures_where_the_cluster_says_and_survives_strikes(place: Cluster, store: Store) -> None:
    dice = Random(SEED)
    with Watch(place) as watch:
        with place.client() as remote:
            job = remote.submit(SEARCHED)
        assert eventually(lambda: num_scored(store, job.id) > 0, WITHIN_S)
        for kind in ("api", "worker", "node"):
            time.sleep(dice.uniform(0, 0.5))
            SEARCH_FAULTS[kind].strike(place, dice)
        with place.client() as remote:
            statuses = [event["status"] for event in remote.events(job.id)]
            rows = remote.leaderboard(job.id).rows
    assert statuses[-1] == "SUCCEEDED"
    assert len(rows) == 8
    assert watch.seen_on == {"right"}
    assert_whole(place, store, job.id)


def test_a_node_without_the_token_is_refused(place: Cluster) -> None:
    stranger = place.lan.machine("stranger")
    address = f"{place.head.address}:6379"
    for token, is_let_in in (("0" * 64, False), (place.environment["RAY_AUTH_TOKEN"], True)):
        environment = {**place.environment, "RAY_AUTH_TOKEN": token}
        asked = stranger.popen(
            "ray", "health-check", "--address", address,
            environment=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        told, _ = asked.communicate(timeout=90)
        assert (asked.returncode == 0) == is_let_in, told
