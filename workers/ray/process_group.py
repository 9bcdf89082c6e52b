"""Torch's process group among Ray's training workers, listening on the cluster's own network alone.

Left to itself, torch has the group's store listen on every network of the machine, and gloo on whichever the
host's name leads to.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from typing import Any

import psutil
import ray
from ray.train.backend import Backend
from ray.train.torch import TorchConfig
from torch import distributed
from torch.distributed import TCPStore  # type: ignore[attr-defined] # public, though it is not listed

_INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class ClusterNetworkConfig(TorchConfig):
    """Gloo, or nccl where workers have GPUs, on the addresses that Ray itself uses."""

    @property
    def backend_cls(self) -> type[Backend]:
        """What sets the group up."""
        return _ClusterNetworkBackend


class _ClusterNetworkBackend(Backend):
    share_cuda_visible_devices = True

    def on_start(self, worker_group: Any, backend_config: Any) -> None:
        """Have all workers join. None leaves: the group ends with its processes."""
        size = len(worker_group)
        address = worker_group.execute_single(0, _free_address)
        arguments = (address, size, backend_config.backend, timedelta(seconds=backend_config.timeout_s))
        ray.get([worker_group.execute_single_async(rank, _join, rank, *arguments) for rank in range(size)])


def _free_address() -> tuple[str, int]:
    with socket.create_server((ray.util.get_node_ip_address(), 0)) as server:
        host, port = server.getsockname()
        return host, port


def _join(rank: int, address: tuple[str, int], size: int, backend: str, timeout: timedelta) -> None:
    for variable in _INTERFACE_VARIABLES:
        os.environ.setdefault(variable, _interface_of(ray.util.get_node_ip_address()))
    listener = socket.create_server(address).detach() if rank == 0 else None
    store = TCPStore(*address, size, rank == 0, timeout, master_listen_fd=listener)
    distributed.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=timeout)


def _interface_of(address: str) -> str:
    """The name of the network interface that has an address."""
    interfaces = psutil.net_if_addrs().items()
    return next(name for name, has in interfaces if address in {each.address for each in has})
