"""How often each token occurs in a training text, and how strongly that draws masks to it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

_ROWS_AT_ONCE = 4096


def count_tokens(groups: Iterable[np.ndarray], vocab_size: int) -> np.ndarray:
    """Occurrences of each token id, (V,), read in parts: the text may be larger than memory.

    Args:
        groups: Arrays (N, T) of token ids.
        vocab_size: V.
    """
    counts = np.zeros(vocab_size, dtype=np.int64)
    for group in groups:
        for start in range(0, len(group), _ROWS_AT_ONCE):
            counts += np.bincount(group[start : start + _ROWS_AT_ONCE].ravel(), minlength=vocab_size)
    return counts


def smoothed_weights(counts: np.ndarray, smoothing: float) -> torch.Tensor:
    """max(count, 1)^-smoothing for each token, (V,), so that rare words are masked more often.

    Source:
        XLM's and DistilBERT's scripts (`mlm_smoothing`, 0.7).
    """
    return torch.from_numpy(np.maximum(counts, 1).astype(np.float64) ** -smoothing).float()
