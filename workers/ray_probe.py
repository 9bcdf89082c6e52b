"""The latency probe on a Ray node: an actor that keeps a latency process beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

from ose.core.measurement import DeviceFingerprint, LatencyMeasurement, LatencyProtocol
from ose.core.task import LatencyTask
from ose.errors import EvaluationError, WorkerLostError
from workers.latency_probe import SubprocessLatencyProbe
from workers.ray_environment import KEEP_MEMORY


class ProbeActor:
    """Starts the same latency process on its node that runs without Ray, and passes requests on to it."""

    def __init__(self, protocol: LatencyProtocol) -> None:
        for name in KEEP_MEMORY:  # a figure must not depend on who asked for it
            os.environ.pop(name, None)
        self._probe = SubprocessLatencyProbe(protocol).__enter__()

    def fingerprint(self) -> DeviceFingerprint:
        """The device of this node."""
        return self._probe.fingerprint()

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture here."""
        return self._probe.measure(task)

    def stop(self) -> None:
        """End the latency process, which would end by itself soon after the actor."""
        self._probe.__exit__()


class RayLatencyProbe:
    """The coordinator's side of a probe actor."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on.

        Raises:
            EvaluationError: The device is not there.
        """
        fingerprint: DeviceFingerprint = _answer(self._actor.fingerprint.remote())
        return fingerprint

    def measure(self, task: LatencyTask) -> LatencyMeasurement:
        """Measure one architecture.

        Raises:
            WorkerLostError: The actor or its latency process died.
            EvaluationError: The model could not be built or run there.
        """
        measurement: LatencyMeasurement = _answer(self._actor.measure.remote(task))
        return measurement


@contextmanager
def ray_latency_probe(protocol: LatencyProtocol) -> Iterator[RayLatencyProbe]:
    """Open a probe. It asks for no core, because the idle workers hold them all."""
    actor: Any = ray.remote(num_cpus=0)(ProbeActor).remote(protocol)
    try:
        yield RayLatencyProbe(actor)
        _answer(actor.stop.remote())
    finally:
        ray.kill(actor)


def _answer(reference: Any) -> Any:
    try:
        return ray.get(reference)
    except ray.exceptions.RayActorError as error:
        raise WorkerLostError(f"the latency actor died: {error}") from error
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, EvaluationError):
            raise error.cause from error
        raise EvaluationError(f"latency could not be measured: {error.cause}") from error
