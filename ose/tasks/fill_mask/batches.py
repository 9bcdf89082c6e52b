"""The masked batches of a distillation: a function of seed and step, so that a resumed run sees what it would have.

In DistilBERT's scripts micro-batches of all sizes count alike. Here one counts by its share of the step's targets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from ose.core.recipe import DistillationSpec
from ose.data.epochs import rows_of_step
from ose.tasks.base import StepBatches
from ose.tasks.fill_mask.masking import MaskedBatch, MaskingRule, draw_masks
from ose.tasks.fill_mask.token_counts import count_tokens, smoothed_weights

TrainingText = np.ndarray | Sequence[np.ndarray]
"""(N, T) packed sequences, or one such array for each length."""


def batches_of(text: TrainingText, spec: DistillationSpec, tokenizer: PreTrainedTokenizerBase) -> StepBatches:
    """`step_batches` of a text, by the recipe's rule of masking."""
    return partial(step_batches, text, spec, masking_rule(text, spec, tokenizer))


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
    for group, rows in rows_of_step(tuple(map(len, groups)), spec, step):
        batch = draw_masks(torch.from_numpy(groups[group][rows].astype(np.int64)), rule, generator)
        micro_batches += [batch.take(part) for part in torch.arange(len(rows)).split(spec.micro_batch_size)]
    num_targets = sum(batch.labels.numel() for batch in micro_batches)
    return [(batch, batch.labels.numel() / num_targets) for batch in micro_batches]


def _groups(text: TrainingText) -> Sequence[np.ndarray]:
    return (text,) if isinstance(text, np.ndarray) else text
