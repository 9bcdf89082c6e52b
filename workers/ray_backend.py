"""The backend on Ray Tune: one long-lived Tune trial for each worker, fed from a queue.

A Tune trial per candidate would start a process, load the teacher and write a folder for each; a trial per
*worker* pays for that once. The queue is an actor, the board: workers take tasks from it and report events
to it. Tune restarts a worker whose process died; on its return the board learns that the task it held is
lost, and says so in an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray import tune

from ose.core.job import FailureReport
from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.spec import WorkersSpec
from ose.core.task import Event, LatencyTask, Task, TaskFailed
from ose.errors import DependencyError, EvaluationError, WorkerLostError

_MAX_WORKER_RESTARTS = 20
_POLL_S = 1.0
_OBJECT_STORE_BYTES = 128 * 1024**2
"""Messages are small and data is memory-mapped from files, so Ray's own store can be."""

_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_AUTO_CALLBACK_SYNCER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Board:
    """Where tasks wait and events are picked up. Runs as an asynchronous actor."""

    def __init__(self) -> None:
        self._tasks: asyncio.Queue[Task] = asyncio.Queue()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._held: dict[int, Task] = {}
        self._is_closed = False

    async def submit(self, task: Task) -> None:
        """Queue a task."""
        await self._tasks.put(task)

    async def announce(self, worker: int) -> None:
        """A worker starts, for the first time or again after its process died under a task."""
        task = self._held.pop(worker, None)
        if task is not None:
            lost = WorkerLostError(f"worker {worker} died while it ran the task")
            failure = FailureReport(code=lost.code, message=str(lost), is_retryable=lost.is_retryable)
            await self._events.put(TaskFailed(task_id=task.id, worker=f"ray-{worker}", failure=failure))

    async def take(self, worker: int) -> Task | None:
        """The next task for a worker, or None if there is none yet."""
        with contextlib.suppress(TimeoutError):
            self._held[worker] = await asyncio.wait_for(self._tasks.get(), _POLL_S)
        return self._held.get(worker)

    async def report(self, worker: int, event: Event) -> None:
        """A worker has ended the task it held."""
        self._held.pop(worker, None)
        await self._events.put(event)

    async def next_event(self, timeout_s: float) -> Event | None:
        """The next event, or None if none comes in time."""
        try:
            return await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            return None

    async def held(self) -> dict[int, str]:
        """Ids of the tasks that workers hold now."""
        return {worker: task.id for worker, task in self._held.items()}

    async def close(self) -> None:
        """Let the workers end."""
        self._is_closed = True

    async def is_closed(self) -> bool:
        """Whether workers should end."""
        return self._is_closed


def work(config: dict[str, Any], board: Any, threads: int, device: str) -> None:
    """One worker's life: a Tune trial that takes tasks until the board closes."""
    from workers.executor import TaskExecutor  # here, so that the coordinator's process never loads torch

    worker = int(config["worker"])
    ray.get(board.announce.remote(worker))
    executor = TaskExecutor(f"ray-{worker}", threads, device)
    while not ray.get(board.is_closed.remote()):
        task = ray.get(board.take.remote(worker))
        if task is not None:
            ray.get(board.report.remote(worker, executor.run(task)))
    tune.report({"worker": worker})


class ProbeActor:
    """Measures latencies in its own process on a Ray node."""

    def fingerprint(self, device: str) -> DeviceFingerprint:
        """The device of this node."""
        from ose.measure.fingerprint import device_fingerprint

        return device_fingerprint(device)

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture here."""
        from workers.latency_process import measure

        return measure(task)


class RayLatencyProbe:
    """The coordinator's side of a probe actor."""

    def __init__(self, actor: Any, protocol: LatencyProtocol) -> None:
        self._actor = actor
        self._protocol = protocol
        self._fingerprint: DeviceFingerprint | None = None

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on."""
        if self._fingerprint is None:
            self._fingerprint = self._ask(self._actor.fingerprint.remote(self._protocol.device))
        return self._fingerprint

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture.

        Raises:
            WorkerLostError: The actor died.
            EvaluationError: The model could not be built or run there.
        """
        measurement: LatencyMeasurement = self._ask(self._actor.measure.remote(task))
        return measurement

    def _ask(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except ray.exceptions.RayActorError as error:
            raise WorkerLostError(f"the latency actor died: {error}") from error
        except ray.exceptions.RayTaskError as error:
            raise EvaluationError(f"latency could not be measured: {error.cause}") from error


class RayBackend:
    """Starts a Ray cluster on this machine, or joins one, and keeps `workers.count` workers on it.

    Args:
        workers: How many, and what each one gets.
        address: Of a running cluster; None starts one here that listens on loopback alone.

    Raises:
        DependencyError: The cluster cannot be reached, or is too small for the workers.
    """

    name = "ray"

    def __init__(self, workers: WorkersSpec, address: str | None = None) -> None:
        os.environ.update({name: value for name, value in _QUIET.items() if name not in os.environ})
        self.capacity = workers.count
        self._open: set[str] = set()
        self._connect(workers, address)
        self._board: Any = ray.remote(num_cpus=0)(Board).remote()
        self._storage = tempfile.TemporaryDirectory(prefix="ose-tune-")
        self._stopped: BaseException | str | None = None
        self._thread = threading.Thread(target=self._run_tune, args=(workers,), name="ray-tune", daemon=True)
        self._thread.start()

    def _connect(self, workers: WorkersSpec, address: str | None) -> None:
        if address is None:
            options: dict[str, Any] = {
                "num_cpus": workers.count * workers.cpus,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "include_dashboard": False,
                "_node_ip_address": "127.0.0.1",
            }
        else:
            options = {"address": address}
        try:
            ray.init(log_to_driver=False, logging_level="ERROR", ignore_reinit_error=False, **options)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise DependencyError(f"Ray cannot be started or reached: {error}") from error
        resources = ray.cluster_resources()
        for resource, wanted in (("CPU", workers.count * workers.cpus), ("GPU", workers.count * workers.gpus)):
            if resources.get(resource, 0) < wanted:
                ray.shutdown()
                raise DependencyError(
                    f"{workers.count} workers need {wanted:g} {resource}, the Ray cluster has "
                    f"{resources.get(resource, 0):g}; lower workers.count, workers.cpus or workers.gpus"
                )

    def _run_tune(self, workers: WorkersSpec) -> None:
        device = "cuda" if workers.gpus else "cpu"
        trainable = tune.with_parameters(work, board=self._board, threads=workers.cpus, device=device)
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": workers.cpus, "gpu": workers.gpus}),
            param_space={"worker": tune.grid_search(list(range(workers.count)))},
            tune_config=tune.TuneConfig(metric="worker", mode="max", max_concurrent_trials=workers.count),
            run_config=tune.RunConfig(
                storage_path=self._storage.name,
                verbose=0,
                failure_config=tune.FailureConfig(max_failures=_MAX_WORKER_RESTARTS),
            ),
        )
        try:
            results = tuner.fit()
            errors = results.errors
            self._stopped = errors[0] if errors else "the workers ended"
        except BaseException as error:
            self._stopped = error

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._open.add(task.id)
        ray.get(self._board.submit.remote(task))

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended task, or None if none ends in time."""
        event: Event | None = ray.get(self._board.next_event.remote(timeout_s))
        if event is None and self._stopped is not None and self._open:
            failure = FailureReport(code="worker_lost", message=f"all Ray workers have stopped: {self._stopped}")
            event = TaskFailed(task_id=next(iter(self._open)), worker=self.name, failure=failure)
        if event is not None:
            self._open.discard(event.task_id)
        return event

    @contextmanager
    def latency_probe(self, protocol: LatencyProtocol) -> Iterator[RayLatencyProbe]:
        """A probe actor. It asks for no core, because the idle workers hold them all."""
        environment = {"env_vars": {"OMP_NUM_THREADS": str(protocol.threads)}}
        actor: Any = ray.remote(num_cpus=0, runtime_env=environment)(ProbeActor).remote()
        try:
            yield RayLatencyProbe(actor, protocol)
        finally:
            ray.kill(actor)

    def close(self) -> None:
        """Stop the workers, and the cluster if it was started here."""
        deadline = time.monotonic() + 2 * _POLL_S
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self._board.close.remote(), timeout=_POLL_S)
            if not ray.get(self._board.held.remote(), timeout=_POLL_S):
                self._thread.join(max(0.0, deadline - time.monotonic()))
        ray.shutdown()
        self._storage.cleanup()
