"""This process among those that train one model together. Alone, it is the first of one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def rank() -> int:
    """This process's number; the first, 0, is the one that writes and reports."""
    return distributed.get_rank() if _is_in_group() else 0


def world_size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if _is_in_group() else 1


def is_first() -> bool:
    """Whether this process writes and reports."""
    return rank() == 0


def share_gradients(module: nn.Module, loss: Callable[[], torch.Tensor]) -> nn.Module:
    """The module, made to average its gradients over all processes; alone, the module itself.

    Every process must call this, at the same step. All begin with the first one's weights.

    Args:
        module: What is trained.
        loss: A loss of it, from which we learn whether some parameters are reached by no gradient: those must be
            looked for in each backward pass, which costs time where there are none.
    """
    if not _is_in_group():
        return module
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = torch.autograd.grad(loss(), parameters, allow_unused=True)
    are_unreached = any(gradient is None for gradient in gradients)
    return DistributedDataParallel(module, broadcast_buffers=False, find_unused_parameters=are_unreached)


def accumulating(module: nn.Module, *, is_last: bool) -> AbstractContextManager[object]:
    """The place of a forward and backward pass; only a step's last one waits for the other processes."""
    if is_last or not isinstance(module, DistributedDataParallel):
        return nullcontext()
    return module.no_sync()


def sum_over_processes(values: torch.Tensor) -> torch.Tensor:
    """Sum over all processes, in place: each one gets the same."""
    if _is_in_group():
        distributed.all_reduce(values)
    return values


def _is_in_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
