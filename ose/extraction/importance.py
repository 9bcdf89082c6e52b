"""How much each part of a teacher matters, from a few batches of text.

Scores of heads and neurons measure what a part adds to the residual stream, so one that the teacher does not
use, because nothing reads it, scores zero under every rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from ose.families.parts import Block, BlockStates, Head, Parts, attention_bias, run_block
from ose.tasks.base import Sample
from ose.training.positions import at_positions, at_tokens

_SEQUENCES_AT_ONCE = 16
_ABLATION_SHARE = 4
"""Layers are left out on a quarter of the sample: each costs a pass of its own."""


def state_scores(
    block: Block, states: BlockStates, inputs: torch.Tensor, mask: torch.Tensor | None = None
) -> dict[str, torch.Tensor]:
    """What one block's states tell of its heads, its neurons and itself.

    `heads.norm` is the mean length of what a head adds to the stream; `neurons.activation` that of a neuron:
    |activation| times the norm of its outgoing weights. `fluctuation` is the mean square of the same after its
    mean over tokens is taken away, which a bias can make up for. `layers.influence` is one minus the mean
    cosine between the layer's input and output.

    Args:
        block: The block.
        states: What it computed.
        inputs: (B, T, H), its input.
        mask: (B, T), 0 at padding, which does not count; None if there is none.

    Returns:
        `heads.*` (A), `neurons.*` (I), `layers.influence` ().

    Source:
        Norms: Minitron (arXiv 2407.14679, section 2.2), which leaves out the outgoing weights; with them:
        Puzzle (2411.19146). Fluctuation: FLAP (2312.11983). Influence: ShortGPT (2403.03853).
    """
    context = at_tokens(states.context, mask).unflatten(-1, (block.num_heads, -1))
    outgoing = block.output.weight.norm(dim=0)
    activation, before, after = (at_tokens(each, mask) for each in (states.activation, inputs, states.output))
    return {
        "heads.norm": _lengths(block, context).mean(dim=0),
        "heads.fluctuation": _lengths(block, context - context.mean(dim=0)).square().mean(dim=0),
        "neurons.activation": activation.abs().mean(dim=0) * outgoing,
        "neurons.fluctuation": activation.var(dim=0, correction=0) * outgoing.square(),
        "layers.influence": 1 - F.cosine_similarity(before, after, dim=-1).mean(),
    }


def head_scores(head: Head, inner: torch.Tensor) -> torch.Tensor:
    """(H): what each neuron of a head moves its outputs by, beyond a constant: the FLAP score of feed-forward neurons.

    Args:
        head: The teacher's.
        inner: (M, H), what its last matrix reads.
    """
    return inner.var(dim=0, correction=0) * head.output.weight.square().sum(dim=0)


def gradient_scores(parts: Parts, sample: Sample) -> dict[str, torch.Tensor]:
    """How the task's loss would change, to first order, without a head or a neuron.

    The derivative by a mask on a head is the sum of its outputs times their gradients; its magnitude is taken
    for each sequence and then averaged.

    Returns:
        `heads.gradient` (L, A) and `neurons.taylor` (L, I).

    Source:
        Michel et al. (arXiv 1905.10650, equation 3) for heads, Molchanov et al. (1906.10771) for neurons;
        DynaBERT (2004.04037) uses both, with neurons' products summed over weights instead of tokens.
    """
    first = parts.blocks[0]
    heads, neurons = (
        first.intermediate.weight.new_zeros(len(parts.blocks), width, dtype=torch.float32)
        for width in (first.num_heads, first.intermediate.out_features)
    )
    for rows in torch.arange(len(sample.input_ids)).split(_SEQUENCES_AT_ONCE):
        for index, states in enumerate(_with_gradients(parts, sample, rows)):
            products = _times_gradient(states.context).sum(dim=1)
            heads[index] += products.unflatten(-1, (heads.shape[1], -1)).sum(dim=-1).abs().sum(dim=0)
            neurons[index] += _times_gradient(states.activation).sum(dim=1).abs().sum(dim=0)
    count = len(sample.input_ids)
    return {"heads.gradient": heads / count, "neurons.taylor": neurons / count}


def layer_ablation(parts: Parts, sample: Sample, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    """(L): the rise of the task's loss when one layer is skipped.

    Args:
        parts: The teacher's.
        sample: A part of it is used.
        inputs: (N, T, H) for each layer, and the last one's output.
    """
    rows = torch.arange(max(1, len(sample.input_ids) // _ABLATION_SHARE))
    bias = _bias(sample, rows, inputs[0].device)
    losses = []
    with torch.no_grad():
        for skipped in range(len(parts.blocks) + 1):  # the last one skips nothing
            states = inputs[skipped][rows]
            for block in parts.blocks[skipped + 1 :]:
                states = run_block(block, states, bias).output
            losses.append(_loss(parts, states, sample, rows))
    return torch.stack(losses[:-1]) - losses[-1]


def principal_components(states: Sequence[torch.Tensor]) -> torch.Tensor:
    """(H, H): an orthonormal basis as columns, the direction of highest variance first.

    One basis has to serve the whole residual stream, so every place in it counts the same, whatever its scale;
    the states that the vocabulary matrix reads are one place of many.

    Args:
        states: (S, H) for each place.
    """
    covariances = [torch.cov(each.double().T, correction=0) for each in states]
    mean = torch.stack([each / each.trace() for each in covariances]).mean(dim=0)
    vectors: torch.Tensor = torch.linalg.eigh(mean).eigenvectors
    return vectors.flip(1).float()


def _lengths(block: Block, context: torch.Tensor) -> torch.Tensor:
    """(S, A): how far each head moves the stream at each token, by its context (S, A, head size).

    |W c| is taken as the root of c'(W'W)c, which needs no (S, A, H).
    """
    projections = block.attention_output.weight.unflatten(1, context.shape[1:])  # (H, A, head size)
    grams = torch.einsum("had,hae->ade", projections, projections)
    return torch.einsum("sad,ade,sae->sa", context, grams, context).clamp(min=0).sqrt()


def _with_gradients(parts: Parts, sample: Sample, rows: torch.Tensor) -> list[BlockStates]:
    device = parts.embeddings.norm.weight.device
    inputs = {name: each.to(device) for name, each in sample.inputs(rows).items()}
    states, bias = parts.embeddings.run(**inputs).requires_grad_(), attention_bias(inputs)
    blocks = []
    for block in parts.blocks:
        blocks.append(run_block(block, states, bias))
        blocks[-1].context.retain_grad()
        blocks[-1].activation.retain_grad()
        states = blocks[-1].output
    _loss(parts, states, sample, rows).backward()
    return blocks


def _bias(sample: Sample, rows: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    bias = attention_bias(sample.inputs(rows))
    return None if bias is None else bias.to(device)


def _times_gradient(states: torch.Tensor) -> torch.Tensor:
    assert states.grad is not None
    return states.detach() * states.grad * len(states)  # the loss is a mean over sequences


def _loss(parts: Parts, states: torch.Tensor, sample: Sample, rows: torch.Tensor) -> torch.Tensor:
    return sample.loss(parts.head.run(at_positions(states, sample.positions[rows].to(states.device))), rows)
