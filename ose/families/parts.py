"""A model taken apart: the same names whatever its class calls its parts.

This is the build of a transformer whose LayerNorms stand behind its sums: the residual stream runs from the embeddings
through blocks of attention and feed-forward neurons into a head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel

from ose.errors import TeacherError

Function = Callable[[torch.Tensor], torch.Tensor]

LayerFunction = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""States (B, T, H) and `attention_bias` to states."""

Inputs = Mapping[str, torch.Tensor]
"""What a model is called with, (B, T) each: `input_ids`; `attention_mask`, 0 at padding, where there is any; and
`token_type_ids` where the tokenizer tells two texts apart by them."""


def attention_bias(inputs: Inputs) -> torch.Tensor | None:
    """(B, 1, 1, T), what is added to attention scores so that no token looks at padding; None without padding."""
    mask = inputs.get("attention_mask")
    if mask is None:
        return None
    bias = torch.zeros(mask.shape, device=mask.device).masked_fill(mask == 0, torch.finfo(torch.float32).min)
    return bias[:, None, None, :]


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """Token ids to the residual stream.

    Attributes:
        run: `Inputs`, given by their names, to the stream (B, T, H).
        tables: By name, each (rows, H).
        norm: The LayerNorm at their end.
    """

    run: Callable[..., torch.Tensor]
    tables: Mapping[str, nn.Embedding]
    norm: nn.LayerNorm

    def modules(self) -> Iterator[nn.Module]:
        """What holds its parameters."""
        yield from (*self.tables.values(), self.norm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer of the encoder.

    Attributes:
        run: The layer on sequences (B, T, H).
        query, key, value: Stream to heads, side by side.
        attention_output: Heads to stream.
        attention_norm: Behind its sum with the stream.
        intermediate: Stream to neurons, before their activation.
        output: Neurons to stream.
        output_norm: Behind its sum with the stream.
        attend: The layer's input (B, T, H) to the heads' outputs (B, T, H), before their projection.
        activate: What is behind `attention_norm` (B, T, H) to the neurons' activations (B, T, I).
        num_heads: A.
        scaling: What the products of queries and keys are multiplied by.
    """

    run: LayerFunction
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_output: nn.Linear
    attention_norm: nn.LayerNorm
    intermediate: nn.Linear
    output: nn.Linear
    output_norm: nn.LayerNorm
    attend: LayerFunction
    activate: Function
    num_heads: int
    scaling: float

    def modules(self) -> Iterator[nn.Module]:
        """What holds its parameters."""
        yield from (self.query, self.key, self.value, self.attention_output, self.attention_norm)
        yield from (self.intermediate, self.output, self.output_norm)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The residual stream to a task's outputs.

    Attributes:
        dense: (H, H).
        activation: Behind it.
        norm: Behind that, if its last matrix is that of the embeddings: what this reads then lies in the stream's
            coordinates. None of a head with an output matrix of its own, before which lie neurons.
        output: The last matrix, a row for each output.
    """

    dense: nn.Linear
    activation: Function
    norm: nn.LayerNorm | None
    output: nn.Linear

    def inner(self, states: torch.Tensor) -> torch.Tensor:
        """(..., H) to what the last matrix reads, (..., H)."""
        activation = self.activation(self.dense(states))
        normed: torch.Tensor = activation if self.norm is None else self.norm(activation)
        return normed

    def run(self, states: torch.Tensor) -> torch.Tensor:
        """(..., H) to the outputs."""
        outputs: torch.Tensor = self.output(self.inner(states))
        return outputs

    def modules(self) -> Iterator[nn.Module]:
        """What holds its parameters."""
        yield from (self.dense, self.output) if self.norm is None else (self.dense, self.norm, self.output)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A whole model."""

    embeddings: Embeddings
    blocks: tuple[Block, ...]
    head: Head

    def modules(self) -> Iterator[nn.Module]:
        """What holds its parameters."""
        parts: tuple[Embeddings | Block | Head, ...] = (self.embeddings, *self.blocks, self.head)
        for part in parts:
            yield from part.modules()


def require_all_named(model: PreTrainedModel, parts: Parts) -> Parts:
    """The parts, if they are the whole model: what is not named would silently be left as it is.

    Raises:
        TeacherError: A parameter of the model is in none of them.
    """
    named = {id(parameter) for module in parts.modules() for parameter in module.parameters()}
    unknown = [name for name, parameter in model.named_parameters() if id(parameter) not in named]
    if unknown:
        raise TeacherError(
            f"OSE does not know what {unknown[0]} is in a {type(model).__name__} ({model.config.model_type}); "
            "use search.initialization: random"
        )
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockStates:
    """What one block computes on the way from its input to its output, all (B, T, ...).

    Attributes:
        context: The heads' outputs side by side, before their projection.
        attention_sum: That projection plus the block's input.
        attention: The same after LayerNorm.
        activation: The feed-forward neurons.
        output_sum: Their projection plus `attention`.
        output: The same after LayerNorm.
    """

    context: torch.Tensor
    attention_sum: torch.Tensor
    attention: torch.Tensor
    activation: torch.Tensor
    output_sum: torch.Tensor
    output: torch.Tensor


def run_block(block: Block, states: torch.Tensor, bias: torch.Tensor | None = None) -> BlockStates:
    """One block on sequences (B, T, H), step by step; `bias` as `attention_bias` has it."""
    context = block.attend(states, bias)
    attention_sum = block.attention_output(context) + states
    attention = block.attention_norm(attention_sum)
    activation = block.activate(attention)
    output_sum = block.output(activation) + attention
    return BlockStates(
        context=context,
        attention_sum=attention_sum,
        attention=attention,
        activation=activation,
        output_sum=output_sum,
        output=block.output_norm(output_sum),
    )


@contextmanager
def captured_input(module: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Collects what `module` is called with."""
    seen: list[torch.Tensor] = []
    handle = module.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    try:
        yield seen
    finally:
        handle.remove()
