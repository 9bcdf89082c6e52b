"""Save a model for torch: its class and configuration, and its weights if it has any."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_model
from transformers import PreTrainedModel

from ose.artifacts.files import storage_errors
from ose.runtimes.base import Part, Saver
from ose.runtimes.torch.rules import DESCRIPTION, WEIGHTS


class TorchSaver:
    """A model that is only timed lies there without weights: the engine fills in noise, on which no time depends."""

    needs_weights = False

    def save(self, model: PreTrainedModel, part: Part, folder: Path, precision: str) -> None:
        """See `Saver.save`. What is saved keeps its float32 weights; the engine converts them."""
        kind = type(model)
        description = {"module": kind.__module__, "class": kind.__qualname__, "part": part}
        with storage_errors(folder):
            (folder / DESCRIPTION).write_text(json.dumps(description), encoding="utf8")
            model.config.save_pretrained(folder)
            if not _is_blank(model):
                save_model(model, str(folder / WEIGHTS))


def _is_blank(model: torch.nn.Module) -> bool:
    return any(parameter.is_meta for parameter in model.parameters())


SAVER: Saver = TorchSaver()
