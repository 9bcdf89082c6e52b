"""Start a Ray cluster on this machine, or join one."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ose.core.spec import WorkersSpec
from ose.errors import DependencyError
from ose.workers.ray.environment import KEEP_MEMORY, environment

_LOOPBACK = "127.0.0.1"
_OBJECT_STORE_BYTES = 128 * 1024**2
"""Messages are small and data is memory-mapped from files, so Ray's own store can be."""

_SYSTEM = {
    "enable_worker_prestart": False,  # processes started ahead lack the workers' environment, and could not be used
    "prestart_worker_first_driver": False,
    "worker_niceness": 0,  # as without Ray; with Ray's 15, latency would depend on what else is busy
}

_ANSWER_S = 5.0
"""How long a cluster may take to answer at all."""

ROOM_WITHIN_S = 60.0
"""How long a cluster that is joined may not answer, or lack what is asked of it: what starts again is back by then."""

_POLL_S = 0.5

_TOO_SMALL = (
    "{} workers need {{wanted}} {{resource}}, the Ray cluster has {{there}}; "
    "lower workers.count (or --workers), workers.cpus or workers.gpus"
)

_EXIT_S = 5.0
"""How long a killed process may take to go."""


class RayCluster:
    """This process's connection to a cluster that has room for the workers.

    Args:
        workers: What the cluster must have, and gets if it is started here.
        address: Of a running cluster; None starts one here that listens on loopback alone.
        scratch: Folder for the files of a cluster that is started here.

    Raises:
        DependencyError: The cluster cannot be started or reached, or is too small for the workers.
    """

    def __init__(self, workers: WorkersSpec, address: str | None, scratch: Path) -> None:
        others = set(psutil.Process().children())
        if address is None:
            with environment(KEEP_MEMORY | {"TMPDIR": str(_folder(scratch / "tmp"))}):
                _connect(_local_options(workers, scratch))
        else:
            _join(address)
        self._started = set(psutil.Process().children()) - others
        try:
            require_resources(
                _wanted(workers), 0 if address is None else ROOM_WITHIN_S, _TOO_SMALL.format(workers.count)
            )
            if address is None:
                _check_loopback()
        except DependencyError:
            self.close()
            raise

    def close(self) -> None:
        """Leave the cluster. One that was started here ends, with every process of it."""
        processes = [each for root in self._started for each in _with_descendants(root)]
        ray.shutdown()
        _see_out(processes)


def _connect(options: dict[str, Any]) -> None:
    try:
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        raise DependencyError(f"Ray cannot be started or reached: {error}") from error
    # The fate of lost workers would be printed on our standard output, and Ray has no switch for it.
    ray._private.worker.print_to_stdstream = _say_nothing


def _join(address: str) -> None:
    """Connect to a cluster, which may be about to start again."""
    deadline = time.monotonic() + ROOM_WITHIN_S
    while True:
        try:
            _check_answers(address)
            return _connect({"address": address, "runtime_env": {"env_vars": KEEP_MEMORY}})
        except DependencyError:
            ray.shutdown()
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_S)


def _say_nothing(*_: object, **__: object) -> None:
    pass


def _check_answers(address: str) -> None:
    """Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_S).close()
    except OSError as error:
        raise DependencyError(f"no Ray cluster answers at {address}: {error.strerror or error}") from error


def _folder(path: Path) -> Path:
    """Where workers put what is temporary: it goes with the scratch folder, however they end."""
    path.mkdir()
    return path


def _local_options(workers: WorkersSpec, scratch: Path) -> dict[str, Any]:
    return {
        "num_cpus": workers.count * workers.cpus,
        "resources": {latency_resource("cpu"): 1.0},  # for those who join it
        "object_store_memory": _OBJECT_STORE_BYTES,
        "include_dashboard": False,
        "_node_ip_address": _LOOPBACK,
        "_temp_dir": str(scratch / "ray"),  # Ray opens it to everybody; what is around it stays private
        "_system_config": _SYSTEM,
    }


def _wanted(workers: WorkersSpec) -> dict[str, float]:
    return {"CPU": workers.count * workers.cpus, "GPU": workers.count * workers.gpus}


def require_resources(wanted: Mapping[str, float], within_s: float, message: str) -> None:
    """Wait until the nodes of the cluster have all this between them, used or not.

    Args:
        wanted: Amounts by Ray's names.
        within_s: How long to wait.
        message: What to say if it does not come: `{wanted}`, `{resource}` and `{there}` are filled in.

    Raises:
        DependencyError: It does not come.
    """
    deadline = time.monotonic() + within_s
    while lacking := _lacking(wanted):
        if time.monotonic() >= deadline:
            resource, there = lacking
            raise DependencyError(message.format(wanted=f"{wanted[resource]:g}", resource=resource, there=f"{there:g}"))
        time.sleep(_POLL_S)


def _lacking(wanted: Mapping[str, float]) -> tuple[str, float] | None:
    resources = ray.cluster_resources()
    lacks = (name for name, amount in wanted.items() if resources.get(name, 0.0) < amount)
    return next(((name, resources.get(name, 0.0)) for name in lacks), None)


def latency_resource(device: str) -> str:
    """What the node offers that carries the target device: `latency_cpu`, or `latency_cuda` for any of its GPUs."""
    return f"latency_{device.partition(':')[0]}"


def beside_us() -> Any:
    """Where to put an actor that has to live as long as this process: any other node may end before it."""
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _check_loopback() -> None:
    if ray.util.get_node_ip_address() != _LOOPBACK:
        raise DependencyError(
            "Ray was imported before OSE could tell it to listen on loopback alone; "
            "run the job in a process of its own, with `ose job resume`"
        )


def _with_descendants(root: psutil.Process) -> list[psutil.Process]:
    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _see_out(processes: Sequence[psutil.Process]) -> None:
    """Kill what would need seconds to notice that its cluster is gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_EXIT_S)
