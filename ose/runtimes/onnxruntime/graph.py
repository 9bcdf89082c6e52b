"""From a model in torch to an ONNX file of any batch and length."""

from __future__ import annotations

import inspect
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import PreTrainedModel

from ose.artifacts.files import storage_errors
from ose.runtimes.base import Part
from ose.tasks.onnx_session import require_packages

OPSET = 20
"""The newest that is right for all families: with 23, ModernBERT fails at batches above one."""

OUTPUTS: dict[Part, str] = {"encoder": "last_hidden_state", "model": "logits"}
"""Hugging Face's names."""

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class _Positional(torch.nn.Module):
    """A model that takes its inputs by position, and gives a tuple, as the exporter asks."""

    def __init__(self, module: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self._module, self._names = module, names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor]:
        return (self._module(**dict(zip(self._names, inputs, strict=True)))[0],)


def input_names(model: PreTrainedModel) -> tuple[str, ...]:
    """What the graph of a model is called with."""
    taken = inspect.signature(model.forward).parameters
    has_kinds = getattr(model.config, "type_vocab_size", 0) > 1
    return tuple(name for name in _INPUTS if name in taken and (name != "token_type_ids" or has_kinds))


def write_graph(model: PreTrainedModel, part: Part, names: Sequence[str], file: Path) -> None:
    """Write an ONNX file with the weights in it.

    torch's older exporter makes it: the same values as its newer one in a sixth of the time, and no stack traces.

    Args:
        model: In float32.
        part: What of it runs.
        names: Of the inputs, the token ids first.
        file: Where to.

    Raises:
        DependencyError: The extra is not installed.
        StorageError: The file cannot be written.
    """
    require_packages()
    module = model.base_model if part == "encoder" else model
    axes = {name: {0: "batch", 1: "sequence"} for name in (*names, *_outputs_of_tokens(model, part))}
    with storage_errors(file), _quiet(), torch.no_grad():
        torch.onnx.export(
            _Positional(module, names).eval(),
            tuple(map(_example, names)),
            str(file),
            input_names=list(names),
            output_names=[OUTPUTS[part]],
            dynamic_axes={OUTPUTS[part]: {0: "batch"}, **axes},
            opset_version=OPSET,
            dynamo=False,
        )


def _example(name: str) -> torch.Tensor:
    """Two texts of which one is padded: the exporter follows a call."""
    example = torch.zeros(2, 8, dtype=torch.long) if name == "token_type_ids" else torch.ones(2, 8, dtype=torch.long)
    if name == "attention_mask":
        example[1, 5:] = 0
    return example


def _outputs_of_tokens(model: PreTrainedModel, part: Part) -> tuple[str, ...]:
    """The output's name if it has a value for each token; a classifier has one for each text."""
    of_tokens = part == "encoder" or "ForMaskedLM" in type(model).__name__ or "ForPreTraining" in type(model).__name__
    return (OUTPUTS[part],) if of_tokens else ()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what the values are checked for afterwards, and of its own age."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
