"""The batches of a distillation: a function of seed and step, so that a resumed run sees what it would have seen."""

from __future__ import annotations

import numpy as np
import torch

from ose.core.recipe import DistillationSpec
from ose.data.masking import MaskedBatch, MaskingRule, draw_masks


def masked_batch(sequences: np.ndarray, spec: DistillationSpec, rule: MaskingRule, step: int) -> MaskedBatch:
    """Step `step`'s sequences with masks drawn anew: an epoch is a fixed shuffle of all sequences."""
    first = step * spec.batch_size
    wanted = np.arange(first, first + spec.batch_size)
    epochs, offsets = wanted // len(sequences), wanted % len(sequences)
    rows = np.empty_like(wanted)
    for epoch in np.unique(epochs):
        order = np.random.default_rng((spec.seed, int(epoch))).permutation(len(sequences))
        rows[epochs == epoch] = order[offsets[epochs == epoch]]
    generator = torch.Generator().manual_seed(spec.seed * 1_000_003 + step)
    return draw_masks(torch.from_numpy(sequences[rows].astype(np.int64)), rule, generator)
