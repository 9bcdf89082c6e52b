"""What only Ray workers can do wrong. Their contract is in tests/contracts/test_backend.py.

Tests workers/ray/cluster.py, workers/ray/entry.py, workers/ray/workers.py and workers/ray/latency_actor.py too.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from builders import architecture
from processes import busiest, eventually, ray_workers, wait_for_all
from searches import evaluate_task

from ose.core.job import FailureReport
from ose.core.measurement import Evaluation, LatencyProtocol
from ose.core.messages import DataRequest, Event, RequestFailed, RequestSucceeded
from ose.errors import EvaluationError, WorkerLostError
from ose.latency.shipping import packed
from ose.runtimes.torch.rules import RULES

if TYPE_CHECKING:  # Ray must not be imported before `start_ray_backend` does
    from ose.workers.ray.ray_backend import RayBackend

pytestmark = pytest.mark.ray

SMALL = architecture(1, 2, 16, 24)
PROTOCOL = LatencyProtocol(sequence_length=16, seconds_per_shape=0.01)
LONG_S = 120.0
SUPPORT = Path(__file__).parents[3] / "support"

JOIN = """
from ose.core.spec import WorkersSpec
from ose.errors import DependencyError
from ose.workers.ray import cluster as ray_cluster
from ose.workers.ray.entry import start_ray_backend
import sys
ray_cluster.ROOM_WITHIN_S = 0.1
try:
    start_ray_backend(WorkersSpec(count=3, cpus=2), address=sys.argv[1])
except DependencyError as error:
    print(error)
"""


def run_python(*arguments: str, given: bytes = b"", **changes: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), *sys.path]), **changes}
    return subprocess.run(
        [sys.executable, *arguments], input=given, capture_output=True, timeout=LONG_S, env=environment, check=False
    )


def events(backend: RayBackend, count: int) -> list[Event]:
    found = [backend.next_event(LONG_S) for _ in range(count)]
    return [event for event in found if event is not None]


def test_workers_work_at_once(ray_backend: RayBackend, search: DataRequest) -> None:
    wait_for_all(ray_backend, evaluate_task(search, SMALL))
    started = time.monotonic()
    for name in ("left", "right"):
        ray_backend.submit(evaluate_task(search, SMALL, id=name, num_steps=300))
    ended = events(ray_backend, 2)
    elapsed_s = time.monotonic() - started
    assert len({event.worker for event in ended}) == 2
    results = [event.result for event in ended if isinstance(event, RequestSucceeded)]
    assert sum(result.wall_time_s for result in results if isinstance(result, Evaluation)) > 1.3 * elapsed_s


def test_no_process_starts_for_a_task(ray_backend: RayBackend, search: DataRequest) -> None:
    wait_for_all(ray_backend, evaluate_task(search, SMALL))
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    for number in range(10):
        ray_backend.submit(evaluate_task(search, SMALL, id=str(number), num_steps=1))
    assert len(events(ray_backend, 10)) == 10
    assert {process.pid for process in psutil.Process().children(recursive=True)} == before


def test_a_killed_workers_task_is_lost_and_the_worker_comes_back(ray_backend: RayBackend, search: DataRequest) -> None:
    wait_for_all(ray_backend, evaluate_task(search, SMALL))
    ray_backend.submit(evaluate_task(search, SMALL, id="lost", num_steps=100_000))
    assert ray_backend.next_event(1.0) is None
    busiest(ray_workers(psutil.Process())).kill()
    [event] = events(ray_backend, 1)
    assert isinstance(event, RequestFailed)
    assert (event.request_id, event.failure.code, event.failure.is_retryable) == ("lost", "worker_lost", True)
    assert event.worker in event.failure.message.replace("worker ", "ray-")

    def is_served_by_it() -> bool:
        for number in range(2):
            ray_backend.submit(evaluate_task(search, SMALL, id=str(number), num_steps=20))
        return event.worker in {ended.worker for ended in events(ray_backend, 2)}

    assert eventually(is_served_by_it, within_s=60)


def test_a_probe_on_a_node_measures_what_is_sent_and_survives_its_actor(
    ray_backend: RayBackend, search: DataRequest, tmp_path: Path
) -> None:
    import ray
    from saved_models import saved

    from ose.workers.ray.latency_actor import RayLatencyProbe

    task = saved(tmp_path / "model", search.teacher, SMALL, PROTOCOL)
    ray_backend.settle()
    probe = RayLatencyProbe(task.protocol)
    probe.start()
    reply = probe.measure(replace(task, models=(task.reference,)))
    assert reply.reference[0].fingerprint == probe.fingerprint() and len(reply.models) == 1
    missing = replace(task.reference, folder=str(tmp_path / "missing"))
    with pytest.raises(EvaluationError, match="holds no saved model"):
        probe.measure(replace(task, reference=missing))
    long = replace(task, models=(task.reference,) * 50)  # seconds, whatever the machine is like
    with pytest.raises(KeyboardInterrupt):
        probe.measure(long, interrupted)
    assert probe._actor is None, "it would measure on beside what is asked next"
    probe.start()
    ray.kill(probe._actor)
    with pytest.raises(WorkerLostError, match="the latency actor died"):
        probe.measure(task)
    assert probe.fingerprint().num_cores >= 1
    ray.kill(probe._actor)
    assert probe.fingerprint().num_cores >= 1, "its node's end is no reason to give up"
    probe.close()


def interrupted() -> None:
    raise KeyboardInterrupt


def test_the_node_that_measures_sees_nothing_but_what_it_is_sent(
    ray_backend: RayBackend, search: DataRequest, tmp_path: Path
) -> None:
    from saved_models import saved

    from ose.workers.ray.latency_actor import ProbeActor

    here = saved(tmp_path / "model", search.teacher, SMALL, PROTOCOL)
    files = packed(tmp_path / "model", RULES.files)
    actor = ProbeActor(here.protocol, "ose.runtimes.torch")
    try:
        elsewhere = replace(here.reference, folder="/not/on/this/node")
        reply = actor.measure(replace(here, reference=elsewhere, models=(elsewhere,)), [files, files])
        assert reply.reference[0].p50_ms > 0 and not isinstance(reply.models[0], FailureReport)
    finally:
        actor.stop()


def test_a_cluster_that_is_too_small_is_refused(ray_backend: RayBackend) -> None:
    import ray

    joined = run_python("-c", JOIN, ray.get_runtime_context().gcs_address)
    assert joined.stdout.decode().startswith("3 workers need 6 CPU, the Ray cluster has 2; lower workers.count")
    assert ray_backend.next_event(0.05) is None


def test_a_cluster_that_is_not_there_is_told_in_one_line() -> None:
    asked = run_python("-c", JOIN, "127.0.0.1:1")
    assert asked.stdout.decode().startswith("no Ray cluster answers at 127.0.0.1:1: ")


@pytest.mark.long
def test_a_backend_says_nothing_listens_to_nobody_else_and_leaves_nothing(search: DataRequest, tmp_path: Path) -> None:
    short, long = evaluate_task(search, SMALL, num_steps=1), evaluate_task(search, SMALL, num_steps=100_000)
    home, report = tmp_path / "home", tmp_path / "report.json"
    home.mkdir()
    lived = run_python(str(SUPPORT / "ray_life.py"), str(report), given=pickle.dumps((short, long)), HOME=str(home))
    assert (lived.returncode, lived.stdout, lived.stderr) == (0, b"", b"")
    seen = json.loads(report.read_text())
    assert (seen["first"], seen["lost"], seen["left"]) == ("RequestSucceeded", "worker_lost", [])
    assert seen["addresses"] == ["127.0.0.1"]
    assert {each.name for each in home.iterdir()} <= {".ray"}  # the token that keeps other users out
    assert seen["close_s"] < 10
