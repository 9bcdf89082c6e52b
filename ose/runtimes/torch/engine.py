"""Run a model by torch, without compiling it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_model
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights
from transformers.utils import logging as transformers_logging

from ose.core.measurement import LatencyProtocol
from ose.errors import DependencyError
from ose.runtimes.base import Engine, Session, host_time_ms
from ose.runtimes.noise import fill_with_noise
from ose.runtimes.torch.rules import DESCRIPTION, WEIGHTS


class TorchSession:
    """A module in evaluation mode on its device.

    Args:
        module: What runs; it is moved and converted.
        protocol: Device, threads and precision.
    """

    def __init__(self, module: torch.nn.Module, protocol: LatencyProtocol) -> None:
        torch.set_num_threads(protocol.threads)
        self._device = torch.device(protocol.device)
        self._module = module.to(device=self._device, dtype=getattr(torch, protocol.dtype)).eval()

    def timed(self, input_ids: NDArray[np.int64]) -> Callable[[], float]:
        """See `Session.timed`. A GPU is asked for its own time: the host only queues the work."""
        forward = partial(self._module, input_ids=torch.from_numpy(input_ids).to(self._device))
        time_ms = _device_time_ms if self._device.type == "cuda" else host_time_ms

        def timed() -> float:
            with torch.inference_mode():
                return time_ms(forward)

        return timed

    def output(self, input_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """See `Session.output`."""
        with torch.inference_mode():
            output = self._module(input_ids=torch.from_numpy(input_ids).to(self._device))[0]
        array: NDArray[np.float32] = output.float().cpu().numpy()
        return array


class TorchEngine:
    """torch in this process."""

    def open(self, folder: Path, protocol: LatencyProtocol) -> Session:
        """See `Engine.open`."""
        _require(protocol.device)
        return TorchSession(_load(folder), protocol)

    def accelerator(self, device: str) -> str | None:
        """See `Engine.accelerator`."""
        _require(device)
        return torch.cuda.get_device_name(device) if device.startswith("cuda") else None


def _require(device: str) -> None:
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise DependencyError(f"latency.device is {device}, but torch sees no GPU here")


def _load(folder: Path) -> torch.nn.Module:
    transformers_logging.set_verbosity_error()
    description = json.loads((folder / DESCRIPTION).read_text(encoding="utf8"))
    kind = _model_class(description)
    assert kind.config_class is not None  # of a model that could be built
    config = kind.config_class.from_pretrained(folder)
    with no_init_weights():
        model: PreTrainedModel = kind._from_config(config)
    model.tie_weights()
    part: torch.nn.Module = model.base_model if description["part"] == "encoder" else model
    if (folder / WEIGHTS).exists():
        load_model(model, folder / WEIGHTS)
    else:
        fill_with_noise(part)
    return part


def _model_class(description: dict[str, str]) -> type[PreTrainedModel]:
    kind = getattr(import_module(description["module"]), description["class"])
    if not (isinstance(kind, type) and issubclass(kind, PreTrainedModel)):
        raise TypeError(f"{description['module']}.{description['class']} is no model of transformers")
    return kind


def _device_time_ms(call: Callable[[], object]) -> float:
    started, ended = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    started.record()
    call()
    ended.record()
    ended.synchronize()
    return float(started.elapsed_time(ended))


ENGINE: Engine = TorchEngine()
