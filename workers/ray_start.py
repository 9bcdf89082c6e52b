"""The way into Ray: its environment first, then its import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ose.core.spec import WorkersSpec
from workers.ray_environment import prepare_environment

if TYPE_CHECKING:
    from workers.ray_backend import RayBackend


def start_ray_backend(workers: WorkersSpec, address: str | None = None) -> RayBackend:
    """Start workers on a cluster of this machine, or on the one at `address`. See `RayBackend`."""
    prepare_environment(is_local=address is None)
    from workers.ray_backend import RayBackend  # only now: Ray reads its environment as it is imported

    return RayBackend(workers, address)
