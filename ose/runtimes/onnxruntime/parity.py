"""Whether an ONNX file says what its model says, for texts as they come and for the edges of what it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.errors import ConflictError
from ose.families.models import longest_input
from ose.tasks.base import Task
from ose.tasks.onnx_model import filled
from ose.tasks.onnx_session import open_session

_PARITY = 1e-4
"""Of the largest absolute logit: the largest difference that a file may have."""

_SHAPES = ((1, 1), (3, 8), (1, 512))
"""Batches and lengths that no example of the exporter had."""

_LEAST_ID = 5

Inputs = Mapping[str, torch.Tensor]


def require_parity(task: Task, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, file: Path) -> float:
    """Hold a file against the model that it was made of.

    Args:
        task: What it does.
        model: In torch, in float32.
        tokenizer: Its own.
        file: The ONNX file.

    Returns:
        The largest difference in any logit, over the largest absolute logit.

    Raises:
        ConflictError: The difference is above a ten-thousandth, or padding changes what is said of a text.
    """
    session = open_session(file)
    names = [each.name for each in session.get_inputs()]

    def run(inputs: Inputs) -> NDArray[np.float32]:
        arrays = {name: np.asarray(inputs[name]) for name in inputs}
        output: NDArray[np.float32] = session.run(["logits"], filled(names, arrays))[0]
        return output

    batches = [*task.probes(tokenizer), *_of_shapes(model, tokenizer)]
    pairs = [(_logits(model, {name: each[name] for name in names if name in each}), run(each)) for each in batches]
    largest = max(float(np.abs(expected).max()) for expected, _ in pairs)
    difference = max(float(np.abs(expected - found).max()) for expected, found in pairs) / largest
    padding = max(_padding_difference(run(each), each, run) for each in batches) / largest
    if not max(difference, padding) <= _PARITY:  # nor is NaN
        what = "the ONNX file's logits differ from the model's" if difference >= padding else "padding changes logits"
        raise ConflictError(f"{what} by {max(difference, padding):.2g} of the largest; the file is not kept")
    return difference


def _logits(model: PreTrainedModel, inputs: Inputs) -> NDArray[np.float32]:
    with torch.inference_mode():
        logits: NDArray[np.float32] = model(**inputs).logits.numpy()
    return logits


def _of_shapes(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Iterator[Inputs]:
    """Random tokens, without padding, and where there are several texts all padding but one token too."""
    longest, generator = longest_input(model), torch.Generator().manual_seed(0)
    for batch, length in _SHAPES:
        shape = (batch, min(length, longest))
        ids = torch.randint(min(_LEAST_ID, len(tokenizer) - 1), len(tokenizer), shape, generator=generator)
        mask = torch.ones_like(ids)
        yield {"input_ids": ids, "attention_mask": mask}
        if batch > 1:
            first = torch.arange(shape[1]) < 1
            padded = ids.where(first, torch.tensor(tokenizer.pad_token_id))
            yield {"input_ids": padded, "attention_mask": mask * first}


def _padding_difference(together: NDArray[np.float32], inputs: Inputs, run: object) -> float:
    """The largest between what is said of each text of a batch and of the same text alone, without its padding."""
    mask = inputs.get("attention_mask")
    if mask is None or len(mask) < 2 or not callable(run):
        return 0.0
    worst = 0.0
    for row, length in enumerate(mask.sum(dim=1).tolist()):
        alone = run({name: each[row : row + 1, :length] for name, each in inputs.items()})[0]
        beside = together[row, :length] if together.ndim > 2 else together[row]
        worst = max(worst, float(np.abs(alone - beside).max()))
    return worst
