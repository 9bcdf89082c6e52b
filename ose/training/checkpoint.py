"""Checkpoints that resume to the same loss curve: weights, optimiser state and step, without pickle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ose.artifacts.files import atomic_directory, remove_leftovers
from ose.errors import InvalidInputError

_KEPT = 2


def save_checkpoint(
    folder: Path, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, state: dict[str, Any]
) -> Path:
    """Write `folder/step-N`, then drop all but the newest two.

    Args:
        folder: Where the run keeps its checkpoints.
        step: Number of optimiser steps done.
        model: Its trainable parameters are stored, tied ones once.
        optimizer: Its moments are stored in float32.
        state: Anything else the run needs to go on, as JSON.

    Raises:
        StorageError: The disk is full or not writable; earlier checkpoints are untouched.
    """
    remove_leftovers(folder)
    with atomic_directory(folder / f"step-{step:08d}") as target:
        save_file({name: p.detach().contiguous() for name, p in model.named_parameters()}, target / "model.safetensors")
        save_file(_moments(optimizer), target / "optimizer.safetensors")
        (target / "state.json").write_text(json.dumps({"step": step, **state}), encoding="utf8")
    for old in _checkpoints(folder)[:-_KEPT]:
        shutil.rmtree(old)
    return folder / f"step-{step:08d}"


def load_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Restore the newest checkpoint of `folder` in place.

    Returns:
        The stored state with its `step`, or None if there is no checkpoint.

    Raises:
        InvalidInputError: The checkpoint belongs to a model of another shape.
    """
    checkpoints = _checkpoints(folder)
    if not checkpoints:
        return None
    newest = checkpoints[-1]
    weights = load_file(newest / "model.safetensors")
    parameters = dict(model.named_parameters())
    if {n: w.shape for n, w in weights.items()} != {n: p.shape for n, p in parameters.items()}:
        raise InvalidInputError(f"{newest} holds a model of another shape; choose another folder")
    with torch.no_grad():
        for name, weight in weights.items():
            parameters[name].copy_(weight)
    _restore_moments(optimizer, load_file(newest / "optimizer.safetensors"))
    return newest_state(folder)


def newest_state(folder: Path) -> dict[str, Any] | None:
    """What `load_checkpoint` would return, without loading any weights."""
    checkpoints = _checkpoints(folder)
    if not checkpoints:
        return None
    state: dict[str, Any] = json.loads((checkpoints[-1] / "state.json").read_text(encoding="utf8"))
    return state


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{index}.{name}": value.detach().contiguous()
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
    }


def _restore_moments(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
