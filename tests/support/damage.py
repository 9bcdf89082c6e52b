"""What can go wrong with a deployment, done to one that runs, and what must be true of it afterwards."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from random import Random
from typing import Any

from clocks import DAY_S
from cluster import Cluster
from machines import cut
from processes import eventually, kill

from ose.core.job import CandidateStatus, JobStatus, TrialStatus
from ose.store.base import Store
from ose.store.database import open_store

DATABASE_DOWN_S = 5.0
NETWORK_CUT_S = 20.0

SEARCH_WORKERS = "ray::ImplicitFunc"
_LEFT_WITHIN_S = 60.0

SEARCH: dict[str, Any] = {
    "name": "faults",
    "teacher": {"model": "teacher"},
    "corpus": {"train": ["text.txt"], "sequence_length": 32},
    "space": {
        "name": "eight",
        "num_hidden_layers": [1, 2],
        "num_attention_heads": [2, 4],
        "hidden_size": [16, 32],
        "intermediate_size": [32],
    },
    "search": {
        "steps": 200,
        "held_out_sequences": 16,
        "hyperparameters": [{"batch_size": 8, "learning_rate": rate} for rate in (1e-4, 2e-4, 3e-4, 5e-4, 7e-4, 1e-3)],
        "max_attempts": 10,  # a candidate is not to blame for what is done to its workers
    },
    "latency": {"sequence_length": 16},
    "workers": {"count": 2, "backend": "ray"},
    "distillation": {"steps": 1500, "batch_size": 4, "checkpoint_every": 50},
}
"""48 candidates of about a second on two workers."""


def kill_worker(cluster: Cluster, dice: Random) -> None:
    workers = search_workers(cluster)
    if workers:
        kill(dice.choice(workers))


def kill_node(cluster: Cluster, dice: Random) -> None:
    name = dice.choice(sorted(cluster.nodes))
    cluster.nodes[name].kill()
    time.sleep(dice.uniform(0, 3))
    cluster.nodes[name].start()
    cluster.start_node(name)


def kill_coordinator(cluster: Cluster, dice: Random) -> None:
    """The one that is at work, while another one waits."""
    with closing(open_store(cluster.store_url)) as store:
        owners = [job.lease_owner for job in store.jobs() if job.lease_owner]
    cluster.kill_coordinator(next(iter(owners), None))
    time.sleep(dice.uniform(0, 3))
    cluster.start_coordinator()


def kill_api(cluster: Cluster, dice: Random) -> None:
    cluster.kill_api()
    cluster.start_api()


def kill_database(cluster: Cluster, dice: Random) -> None:
    cluster.kill_database()
    time.sleep(DATABASE_DOWN_S)
    cluster.start_database()


def cut_network(cluster: Cluster, dice: Random) -> None:
    with cut(cluster.control, cluster.nodes[dice.choice(sorted(cluster.nodes))]):
        time.sleep(NETWORK_CUT_S)


def jump_clock(cluster: Cluster, dice: Random) -> None:
    cluster.jump_clock(dice.choice((-DAY_S, -60, 60, DAY_S)))


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to do damage.

    Attributes:
        strike: Does it, and whatever an operator or a supervisor would do about it.
        share: How often, among all.
    """

    strike: Callable[[Cluster, Random], None]
    share: int


SEARCH_FAULTS = {
    "worker": Fault(kill_worker, 6),
    "node": Fault(kill_node, 2),
    "coordinator": Fault(kill_coordinator, 2),
    "api": Fault(kill_api, 4),
    "database": Fault(kill_database, 4),
    "network": Fault(cut_network, 1),
    "clock": Fault(jump_clock, 1),
}
"""What befalls a search."""


def search_workers(cluster: Cluster) -> list[Any]:
    return [each for node in cluster.nodes.values() for each in node.processes(SEARCH_WORKERS)]


def num_scored(store: Store, job_id: str) -> int:
    return store.count_candidates(job_id).get(CandidateStatus.SUCCEEDED, 0)


def assert_whole(cluster: Cluster, store: Store, job_id: str) -> None:
    """Every candidate has exactly one scored trial, the job has succeeded, and nothing is left."""
    assert store.job(job_id).status is JobStatus.SUCCEEDED, store.job(job_id).failure
    candidates = store.candidates(job_id)
    assert {each.status for each in candidates} == {CandidateStatus.SUCCEEDED}
    scored: Counter[int] = Counter()
    for candidate in candidates:
        trials = store.trials(job_id, candidate.number)
        scored[candidate.number] = [trial.status for trial in trials].count(TrialStatus.SUCCEEDED)
        assert all(trial.status is not TrialStatus.RUNNING for trial in trials)
    assert set(scored.values()) == {1}, scored
    assert eventually(lambda: not leftovers(cluster), _LEFT_WITHIN_S), leftovers(cluster)


def leftovers(cluster: Cluster) -> list[str]:
    """Temporary files, and processes that nobody needs any more."""
    files = [str(each) for each in cluster.volume.rglob("*.partial*")]
    files += [str(each) for machine in cluster.lan.machines for each in machine.tmp.glob("ose-ray-*")]
    titles = (SEARCH_WORKERS, "ray::Board", "ray::ProbeActor", "ose.latency.process")
    processes = [(machine, title) for machine in cluster.lan.machines for title in titles]
    return files + [f"{title} on {machine.name}" for machine, title in processes for _ in machine.processes(title)]
