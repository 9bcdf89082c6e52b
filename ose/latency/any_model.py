"""Whatever transformers loads, saved so that its latency can be measured. It takes torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from ose.core.messages import SavedModel
from ose.errors import InvalidInputError, TeacherError
from ose.families.models import longest_input
from ose.latency.timed_model import save_for_timing
from ose.runtimes.noise import fill_with_noise
from ose.runtimes.registry import runtime_saver
from ose.tasks.few_tensors import few_tensors
from ose.tasks.loading import load_config
from ose.tasks.onnx_folder import is_onnx


def save_for_latency(path: Path, folder: Path, runtime: str, precision: str, longest: int) -> SavedModel:
    """Save a model whole, head and all, with weights of no meaning.

    Args:
        path: A model directory, of which the configuration is read; or an export for ONNX Runtime, whose weights count.
        folder: Where it goes.
        runtime: The runtime's package.
        precision: Of weights and arithmetic.
        longest: Tokens of the longest input.

    Raises:
        TeacherError: It has no configuration that can be loaded, or none of a model of token ids.
        InvalidInputError: It has not so many positions.
        StorageError: The model cannot be written.
    """
    config = load_config(path)
    if is_onnx(path):  # it runs as it is
        return SavedModel(folder=str(path), vocab_size=config.vocab_size)
    vocab_size = getattr(config, "vocab_size", None)
    if not isinstance(vocab_size, int):
        raise TeacherError(f"{path} is a {config.model_type} model, which does not take token ids")
    needs_weights = runtime_saver(runtime).needs_weights
    model = _built(config, path, "cpu" if needs_weights else "meta")
    if hasattr(config, "max_position_embeddings") and longest > longest_input(model):
        raise InvalidInputError(f"sequence_length is {longest}, but {path} takes at most {longest_input(model)} tokens")
    if needs_weights:
        fill_with_noise(model)
    save_for_timing(model, "model", folder, runtime, precision)
    return SavedModel(folder=str(folder), vocab_size=vocab_size)


def _built(config: PreTrainedConfig, path: Path, device: str) -> PreTrainedModel:
    """The class that the configuration names, or what transformers takes for one of its kind."""
    named: Any = getattr(transformers, next(iter(config.architectures or ()), ""), None)
    is_model = isinstance(named, type) and issubclass(named, PreTrainedModel)
    try:
        with few_tensors(), no_init_weights(), torch.device(device):
            model: PreTrainedModel = named._from_config(config) if is_model else AutoModel.from_config(config)
    except (ValueError, TypeError, AttributeError, ImportError) as error:
        raise TeacherError(f"{path} is no model that transformers can build: {error}") from error
    return model
