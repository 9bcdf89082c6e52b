"""What a training goes on from: weights and moments by name, in one file without pickle, the same for all trainings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from ose.artifacts.files import remove_leftovers
from ose.artifacts.intact import intact_directory, is_intact
from ose.artifacts.step_folders import step_folder, step_folders
from ose.errors import InvalidInputError

_KEPT = 2
_WEIGHT = "weight"
_TENSORS, _STATE = "training.safetensors", "state.json"


def training_tensors(module: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """For each parameter NAME `weight/NAME` and the optimiser's own, such as `exp_avg/NAME`: 12 bytes a parameter.

    Args:
        module: What is trained; tied parameters come once.
        optimizer: Of all its parameters.
    """
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in module.named_parameters():
        tensors[f"{_WEIGHT}/{name}"] = parameter.detach()
        tensors |= {f"{kind}/{name}": value for kind, value in optimizer.state[parameter].items()}
    return tensors


def restore_training(tensors: dict[str, torch.Tensor], module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Give a module of the same shape these weights, and its optimiser the moments; the tensors stay as they are."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for key, tensor in tensors.items():
            kind, _, name = key.partition("/")
            if kind == _WEIGHT:
                parameters[name].copy_(tensor)
            else:
                optimizer.state[parameters[name]][kind] = tensor.to(parameters[name].device, copy=True)


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
    with intact_directory(step_folder(folder, step)) as target:
        tensors = training_tensors(model, optimizer)
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, target / _TENSORS)
        (target / _STATE).write_text(json.dumps({"step": step, **state}), encoding="utf8")
    for old in [*step_folders(folder).values()][:-_KEPT]:
        shutil.rmtree(old)
    return step_folder(folder, step)


def load_checkpoint(folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Restore the newest checkpoint of `folder` in place; one that is not what was written is removed.

    Returns:
        The stored state with its `step`, or None if there is no checkpoint.

    Raises:
        InvalidInputError: The checkpoint belongs to a model of another shape.
    """
    newest = _newest(folder)
    if newest is None:
        return None
    is_earlier = not (newest / _TENSORS).exists()
    tensors = _of_earlier_version(newest, model, optimizer) if is_earlier else load_file(newest / _TENSORS)
    weights = {key: tensor.shape for key, tensor in tensors.items() if key.startswith(f"{_WEIGHT}/")}
    if weights != {f"{_WEIGHT}/{name}": parameter.shape for name, parameter in model.named_parameters()}:
        raise InvalidInputError(f"{newest} holds a model of another shape; choose another folder")
    restore_training(tensors, model, optimizer)
    return newest_state(folder)


def newest_state(folder: Path) -> dict[str, Any] | None:
    """What `load_checkpoint` would return, without loading any weights."""
    newest = _newest(folder)
    if newest is None:
        return None
    state: dict[str, Any] = json.loads((newest / _STATE).read_text(encoding="utf8"))
    return state


def _newest(folder: Path) -> Path | None:
    """The newest checkpoint that is what was written; those that are not are removed."""
    return next((path for path in reversed(step_folders(folder).values()) if is_intact(path)), None)


def _of_earlier_version(
    checkpoint: Path, model: nn.Module, optimizer: torch.optim.Optimizer
) -> dict[str, torch.Tensor]:
    """Tensors as version 0.1 wrote them: weights by name in a file, moments in another by the optimiser's order."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    order = [names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]]
    tensors = {f"{_WEIGHT}/{name}": tensor for name, tensor in load_file(checkpoint / "model.safetensors").items()}
    for key, tensor in load_file(checkpoint / "optimizer.safetensors").items():
        index, kind = key.split(".", 1)
        tensors[f"{kind}/{order[int(index)]}"] = tensor
    return tensors
