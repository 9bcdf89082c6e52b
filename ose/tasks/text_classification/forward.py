"""Run a classifier, whatever its class, over texts of several lengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ose.core.recipe import Precision
from ose.tasks.text_classification.items import TextItems
from ose.tasks.text_classification.kinds import Kind
from ose.tasks.text_classification.teacher import kind_of_model
from ose.training.positions import at_tokens
from ose.training.precision import autocast

_ROWS_AT_ONCE = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedTexts:
    """What a classifier makes of a micro-batch.

    Attributes:
        states: (S, H), the last layer's at the S real tokens.
        layer_states: (S, H) each, the embeddings and every layer's output, if they were asked for.
        attention_mask: (B, T), 0 at padding.
        logits: (B, L).
        kind: What they mean.
    """

    states: torch.Tensor
    layer_states: tuple[torch.Tensor, ...]
    attention_mask: torch.Tensor
    logits: torch.Tensor
    kind: Kind


def logits_of(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """(B, L) of what a model is called with, on its device."""
    logits: torch.Tensor = model(**_on_device(model, inputs)).logits
    return logits


def encode(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor], *, all_layers: bool = False) -> EncodedTexts:
    """Run a classifier and keep its states at real tokens."""
    mask = inputs["attention_mask"].to(model.device)
    output = model(**_on_device(model, inputs), output_hidden_states=True)
    layers = output.hidden_states if all_layers else output.hidden_states[-1:]
    states = tuple(at_tokens(each, mask) for each in layers)
    return EncodedTexts(
        states=states[-1],
        layer_states=states if all_layers else (),
        attention_mask=mask,
        logits=output.logits,
        kind=kind_of_model(model),
    )


def all_logits(model: PreTrainedModel, items: TextItems, precision: Precision = "float32") -> torch.Tensor:
    """(N, L) on the model's device, without gradients; texts of about one length are run together."""
    order = items.lengths.argsort(stable=True)
    found = []
    with torch.inference_mode(), autocast(model.device, precision):
        for rows in order.split(_ROWS_AT_ONCE):
            found.append(logits_of(model, items.inputs(rows)).float())
    return torch.cat(found)[order.argsort().to(model.device)]


def _on_device(model: PreTrainedModel, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a model is called with, where it lies.

    transformers looks whether a mask (B, T) hides anything at all, for which it has to wait for a GPU; one that has the
    form of scores already, (B, 1, 1, T), it takes as it is.
    """
    there = {name: each.to(model.device) for name, each in inputs.items()}
    if model.device.type != "cpu" and model.config._attn_implementation == "sdpa":
        there["attention_mask"] = there["attention_mask"].bool()[:, None, None]
    return there
