"""The batches of a distillation: a function of seed and step, so that a resumed run sees what it would have seen.

DistilBERT's scripts slip here: on several GPUs every epoch has the same order, micro-batches left over at an epoch's
end leak into the next update, and micro-batches of all sizes count alike. Here an epoch's order comes from seed and
epoch, a step reads on into the next epoch, and a micro-batch counts by its share of the step's targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ose.core.recipe import DistillationSpec
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.token_counts import count_tokens, smoothed_weights

TrainingText = np.ndarray | Sequence[np.ndarray]
"""(N, T) packed sequences, or one such array for each length."""


def masking_rule(text: TrainingText, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase) -> MaskingRule:
    """The recipe's rule of masking; with smoothing, the text's tokens are counted for it."""
    rule = MaskingRule.for_tokenizer(tokenizer, spec.mask_fraction)
    if not spec.mask_smoothing:
        return rule
    counts = count_tokens(_groups(text), rule.vocab_size)
    return replace(rule, token_weights=smoothed_weights(counts, spec.mask_smoothing))


def step_batches(
    text: TrainingText, spec: DistillationSpec, rule: MaskingRule, step: int
) -> list[tuple[MaskedBatch, float]]:
    """All micro-batches of one optimiser step, in order, each with its share of the step's targets.

    The shares sum to 1: weighted by them, the micro-batches' mean losses make the mean over the step. A plain mean
    of means would give the targets of short sequences and of a last, smaller micro-batch too much weight. Losses over
    all tokens are weighted alike, since targets are a fixed fraction of them up to rounding.

    Args:
        text: The training sequences.
        spec: Decides batch sizes and seed.
        rule: How targets are drawn; anew each step.
        step: 0 for the first.
    """
    groups = _groups(text)
    generator = torch.Generator().manual_seed(spec.seed * 1_000_003 + step)
    micro_batches: list[MaskedBatch] = []
    for group, rows in _rows_of_step(tuple(map(len, groups)), spec, step):
        batch = draw_masks(torch.from_numpy(groups[group][rows].astype(np.int64)), rule, generator)
        micro_batches += [batch.take(part) for part in torch.arange(len(rows)).split(spec.micro_batch_size)]
    num_targets = sum(batch.labels.numel() for batch in micro_batches)
    return [(batch, batch.labels.numel() / num_targets) for batch in micro_batches]


def _groups(text: TrainingText) -> Sequence[np.ndarray]:
    return (text,) if isinstance(text, np.ndarray) else text


def _rows_of_step(sizes: tuple[int, ...], spec: DistillationSpec, step: int) -> list[tuple[int, np.ndarray]]:
    """Groups that a step reads from, with the rows in each."""
    wanted = np.arange(step * spec.batch_size, (step + 1) * spec.batch_size)
    epochs, offsets = wanted // sum(sizes), wanted % sum(sizes)
    groups, rows = np.empty_like(wanted), np.empty_like(wanted)
    for epoch in np.unique(epochs):
        here = epochs == epoch
        order = _epoch_order(sizes, spec.micro_batch_size, spec.seed, int(epoch))
        groups[here], rows[here] = order[:, offsets[here]]
    return [(int(group), rows[groups == group]) for group in np.unique(groups)]


@lru_cache(maxsize=2)  # a step reads from two epochs at most, unless the text is tiny
def _epoch_order(sizes: tuple[int, ...], together: int, seed: int, epoch: int) -> np.ndarray:
    """(2, N) groups and rows: every sequence once, another order each epoch.

    With several lengths, `together` sequences of one length stand in a row, so that micro-batches are full; these
    runs are shuffled.
    """
    generator = np.random.default_rng((seed, epoch))
    runs: list[np.ndarray] = []
    for group, size in enumerate(sizes):
        order = np.stack([np.full(size, group), generator.permutation(size)])
        runs += np.split(order, range(together, size, together), axis=1) if len(sizes) > 1 else [order]
    return np.concatenate([runs[index] for index in generator.permutation(len(runs))], axis=1)
