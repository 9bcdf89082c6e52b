"""An ONNX export in the place of a transformers model: called as one, where only logits are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from transformers import PreTrainedConfig

from ose.errors import InvalidInputError
from ose.tasks.onnx_folder import ONNX_FILE, onnx_facts
from ose.tasks.onnx_session import open_session


@dataclass(frozen=True, slots=True)
class OnnxOutput:
    """What a call gives."""

    logits: torch.Tensor


class OnnxModel:
    """A file and the configuration beside it. It has what `ose evaluate` uses of a model, and no weights to look at.

    Args:
        folder: An ONNX export.
        config: As its config.json has it.

    Raises:
        TeacherError: The file is not OSE's, or cannot be run.
        DependencyError: ONNX Runtime is not installed.
    """

    device = torch.device("cpu")

    def __init__(self, folder: Path, config: PreTrainedConfig) -> None:
        onnx_facts(folder)
        self.config, self.name_or_path = config, str(folder)
        self._session = open_session(folder / ONNX_FILE)
        self._inputs = [each.name for each in self._session.get_inputs()]

    def to(self, device: torch.device) -> Self:
        """The same model, which runs on the CPU alone.

        Raises:
            InvalidInputError: Another device is meant.
        """
        if device.type != "cpu":
            raise InvalidInputError(f"{self.name_or_path} is an ONNX export, which runs on the CPU; leave out --device")
        return self

    def __call__(self, **inputs: torch.Tensor) -> OnnxOutput:
        """The logits of a batch."""
        output = self._session.run(
            ["logits"], filled(self._inputs, {name: np.asarray(inputs[name]) for name in inputs})
        )
        return OnnxOutput(logits=torch.from_numpy(output[0]))


def filled(names: list[str], inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All that a graph asks for: where nothing is said, all tokens are real and of the first kind."""
    input_ids = inputs["input_ids"]
    usual = {"attention_mask": np.ones_like(input_ids), "token_type_ids": np.zeros_like(input_ids)}
    return {name: np.asarray(inputs.get(name, usual.get(name)), dtype=np.int64) for name in names}
