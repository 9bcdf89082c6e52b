"""The way into Ray: its environment first, then its import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ose.core.imports import without_collection
from ose.core.job import DistillationResult
from ose.core.spec import WorkersSpec
from ose.workers.ray.environment import prepare_environment

if TYPE_CHECKING:
    from ose.workers.foreground import FullDistillation
    from ose.workers.ray.ray_backend import RayBackend


def start_ray_backend(workers: WorkersSpec, address: str | None = None) -> RayBackend:
    """Start workers on a cluster of this machine, or on the one at `address`. See `RayBackend`."""
    prepare_environment(is_local=address is None)
    with without_collection():
        from ose.workers.ray.ray_backend import RayBackend  # only now: Ray reads its environment as it is imported

    return RayBackend(workers, address)


def distill_on_ray(
    request: FullDistillation, workers: WorkersSpec, address: str | None, on_step: Callable[[int, Any], None]
) -> DistillationResult:
    """Distil in several processes on a cluster of this machine, or on the one at `address`.

    Args:
        request: What to distil.
        workers: How many processes, and what each one gets.
        address: Of a running cluster; None starts one here that listens on loopback alone.
        on_step: Called here after each optimiser step, with the number of steps done and its losses.

    Raises:
        DependencyError: The cluster cannot be started or reached, or is too small for the workers.
        WorkerLostError: Workers died again and again, or the cluster is gone.
        OseError: Whatever else went wrong; run it again to go on from the last checkpoint.
    """
    prepare_environment(is_local=address is None)
    from ose.workers.foreground import prepare_files
    from ose.workers.ray.train import distill_together

    prepare_files(request)
    return distill_together(request, workers, address, on_step)
