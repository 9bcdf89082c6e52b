"""The latency probe on a Ray node: an actor that keeps a latency process beside it, and is sent the saved models.

Which node is the target device is said when it is started: with `ray start --resources='{"latency_cpu": 1}'`, or
`latency_cuda`. Figures of one job must not come from two machines, so a cluster without such a node is refused.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from ose.artifacts.scratch import ScratchFolder
from ose.core.measurement import DeviceFingerprint, LatencyProtocol
from ose.core.messages import LatencyReply, LatencyRequest
from ose.errors import EvaluationError, WorkerLostError
from ose.latency.probe import SubprocessLatencyProbe
from ose.latency.shipping import packed, unpack
from ose.runtimes.registry import runtime_package, runtime_rules
from ose.workers.ray.cluster import ROOM_WITHIN_S, latency_resource, require_resources
from ose.workers.ray.environment import KEEP_MEMORY

_SHARE = 0.001
"""Of the resource, for each probe: it says where to go, and any number of coordinators may send one there."""

_MAX_LOST = 2
"""Actors that may die, with their node, before one says what its device is: nothing was asked of them yet."""

_CHECK_S = 1.0

_NO_NODE = (
    "the Ray cluster has no node to measure latency on; start the one on the target device with "
    "--resources='{{\"{resource}\": 1}}'"
)


class ProbeActor:
    """Starts the same latency process on its node that runs without Ray, and passes requests on to it."""

    def __init__(self, protocol: LatencyProtocol, runtime: str) -> None:
        for name in KEEP_MEMORY:  # a figure must not depend on who asked for it
            os.environ.pop(name, None)
        self._probe = SubprocessLatencyProbe(protocol, runtime)

    def start(self) -> None:
        """Start the latency process."""
        self._probe.start()

    def fingerprint(self) -> DeviceFingerprint:
        """The device of this node."""
        return self._probe.fingerprint()

    def measure(self, request: LatencyRequest, files: list[dict[str, bytes]]) -> LatencyReply:
        """Measure saved models here, of which the files alone are known: the reference's, and those of the models."""
        with closing(ScratchFolder("latency")) as scratch:
            folders = [scratch.path / str(number) for number in range(len(files))]
            for each, folder in zip(files, folders, strict=True):
                unpack(each, folder)
            return self._probe.measure(_moved(request, folders))

    def stop(self) -> None:
        """End the latency process, which would end by itself soon after the actor."""
        self._probe.close()


def _moved(request: LatencyRequest, folders: Sequence[Path]) -> LatencyRequest:
    """The same models in other folders."""
    models = (request.reference, *request.models)
    reference, *others = (replace(each, folder=str(folder)) for each, folder in zip(models, folders, strict=True))
    return replace(request, reference=reference, models=tuple(others))


class RayLatencyProbe:
    """The coordinator's side of a probe actor. It asks for no core, because the idle workers hold them all.

    An actor that dies takes one request with it; the next request gets a new one.
    """

    def __init__(self, protocol: LatencyProtocol) -> None:
        self.protocol = protocol
        self._runtime = runtime_package(protocol.runtime)
        self._resource = latency_resource(protocol.device)
        self._actor: Any = None

    def start(self) -> None:
        """Start actor and latency process; they get ready by themselves."""
        self._living_actor().start.remote()

    def fingerprint(self) -> DeviceFingerprint:
        """The device it measures on; an actor that dies before it says so is replaced.

        Raises:
            DependencyError: No node of the cluster is the target device's.
            WorkerLostError: One actor after the other died.
            EvaluationError: The device is not there.
        """
        for _ in range(_MAX_LOST):
            with suppress(WorkerLostError):
                return self._fingerprint()
        return self._fingerprint()

    def measure(self, request: LatencyRequest, check: Callable[[], None] = lambda: None) -> LatencyReply:
        """Send saved models to the node, which need not see this machine's disk, and measure them there.

        Raises:
            WorkerLostError: The actor or its latency process died.
            EvaluationError: A model could not be sent, or the reference not be loaded or run there.
        """
        names = runtime_rules(self._runtime).files
        files = [packed(Path(each.folder), names) for each in (request.reference, *request.models)]
        answer = self._living_actor().measure.remote(request, files)
        try:
            while not ray.wait([answer], timeout=_CHECK_S)[0]:
                check()
        except BaseException:
            self._kill()
            raise
        reply: LatencyReply = self._answer(answer)
        return reply

    def close(self) -> None:
        """Stop the latency process and its actor."""
        if self._actor is None:
            return
        with suppress(EvaluationError):  # what has died need not be stopped
            self._answer(self._actor.stop.remote())
        self._kill()

    def _kill(self) -> None:
        """The latency process ends with the actor, whose pipe it reads."""
        actor, self._actor = self._actor, None
        if actor is not None:
            ray.kill(actor)

    def _fingerprint(self) -> DeviceFingerprint:
        require_resources({self._resource: _SHARE}, ROOM_WITHIN_S, _NO_NODE)
        fingerprint: DeviceFingerprint = self._answer(self._living_actor().fingerprint.remote())
        return fingerprint

    def _living_actor(self) -> Any:
        if self._actor is None:
            place = ray.remote(num_cpus=0, resources={self._resource: _SHARE})
            self._actor = place(ProbeActor).remote(self.protocol, self._runtime)
        return self._actor

    def _answer(self, reference: Any) -> Any:
        try:
            return ray.get(reference)
        except ray.exceptions.RayActorError as error:
            self._actor = None
            raise WorkerLostError(f"the latency actor died: {error}") from error
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, EvaluationError):
                raise error.cause from error
            raise EvaluationError(f"latency could not be measured: {error.cause}") from error
