"""The backend on Ray: a queue between the coordinator and workers that Tune keeps alive.

Start it with `ose.workers.ray.entry.start_ray_backend`: Ray reads its environment as it is imported.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import ray

from ose.artifacts.scratch import ScratchFolder
from ose.core.measurement import LatencyProtocol
from ose.core.messages import Event, Request
from ose.core.spec import WorkersSpec
from ose.errors import WorkerLostError
from ose.latency.base import LatencyProbe
from ose.latency.probe import ProbeKeeper, SubprocessLatencyProbe
from ose.workers.ray.cluster import RayCluster, beside_us
from ose.workers.ray.latency_actor import RayLatencyProbe
from ose.workers.ray.request_queue import RequestQueue
from ose.workers.ray.workers import TuneWorkers

_POLL_S = 1.0
"""How long the end of all workers may go unnoticed while others wait for them."""

_SETTLE_S = 30.0
"""How long a worker may take to start. One that takes longer has no node to start on, and disturbs nothing."""

_GRACE_S = 3.0
"""How long idle workers may take to end by themselves."""


class RayBackend:
    """Keeps `workers.count` workers on a Ray cluster.

    Args:
        workers: How many, and what each one gets.
        address: Of a running cluster; None starts one here that listens on loopback alone.

    Raises:
        DependencyError: The cluster cannot be started or reached, or is too small for the workers.
    """

    name = "ray"

    def __init__(self, workers: WorkersSpec, address: str | None = None) -> None:
        self.capacity = workers.count
        self._scratch = ScratchFolder("ray")
        self._probes = ProbeKeeper(SubprocessLatencyProbe if address is None else RayLatencyProbe)
        try:
            self._cluster = RayCluster(workers, address, self._scratch.path)
        except BaseException:
            self._scratch.close()
            raise
        self._queue: Any = ray.remote(num_cpus=0, scheduling_strategy=beside_us())(RequestQueue).remote()
        self._workers = TuneWorkers(workers, self._queue, self._scratch.path / "tune")
        self._is_closed = False

    def submit(self, request: Request) -> None:
        """Queue a request.

        Raises:
            WorkerLostError: The cluster is gone.
        """
        self._ask(self._queue.submit.remote(request))

    def next_event(self, timeout_s: float) -> Event | None:
        """The next ended request, or None if none ends in time.

        Raises:
            WorkerLostError: All workers have stopped for good, or the cluster is gone.
        """
        event: Event | None = self._ask(self._queue.next_event.remote(timeout_s))
        if event is None:
            self._check_workers()
        return event

    def latency_probe(self, protocol: LatencyProtocol) -> AbstractContextManager[LatencyProbe]:
        """A probe on this machine or on a node of the cluster that was joined, kept until `close`."""
        return nullcontext(self._probes.probe(protocol))

    def settle(self) -> None:
        """Wait until every worker waits: one that still starts would disturb a measurement.

        Raises:
            WorkerLostError: All workers have stopped for good, or the cluster is gone.
        """
        deadline = time.monotonic() + _SETTLE_S
        while not self._ask(self._queue.all_wait.remote(self.capacity, _POLL_S)) and time.monotonic() < deadline:
            self._check_workers()

    def close(self) -> None:
        """Stop the workers, and the cluster if it was started here."""
        if self._is_closed:
            return
        self._is_closed = True
        self._probes.close()
        try:
            if self._ask(self._queue.close.remote()):
                self._workers.join(_GRACE_S)
        except WorkerLostError:
            pass  # there is nothing left to end gently
        finally:
            self._cluster.close()
            self._scratch.close()

    def _check_workers(self) -> None:
        if self._workers.end is not None:
            raise WorkerLostError(f"all Ray workers have stopped: {self._workers.end}")

    def _ask(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except ray.exceptions.RayError as error:
            raise WorkerLostError(f"the Ray cluster is gone: {error}") from error
