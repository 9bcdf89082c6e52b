"""Token frequencies and a bigram model: the losses that any trained teacher has to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DISCOUNT = 0.75
"""Absolute discount of Kneser and Ney's method, the usual constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramLosses:
    """Cross-entropy in nats a token, over the positions asked for."""

    unigram_nats: float
    bigram_nats: float


def ngram_losses(
    train: np.ndarray, held_out: np.ndarray, positions: np.ndarray, vocab_size: int, max_bigrams: int = 20_000_000
) -> NgramLosses:
    """Fit unigram and bigram models on `train` and score them at `positions` of `held_out`.

    The bigram model sees the true token on the left and backs off to the unigram model by
    absolute discounting.

    Args:
        train: (N, T) tokens.
        held_out: (M, T) tokens, uncorrupted.
        positions: (M, K); position 0 is never asked for, it holds `<s>`.
        vocab_size: V.
        max_bigrams: Only this many training pairs are counted, which bounds memory.
    """
    counts = np.bincount(train.ravel().astype(np.int64), minlength=vocab_size) + 1.0
    unigram = counts / counts.sum()
    pairs = (train[:, :-1].astype(np.int64) * vocab_size + train[:, 1:]).ravel()[:max_bigrams]
    keys, pair_counts = np.unique(pairs, return_counts=True)
    context_counts = np.bincount(keys // vocab_size, weights=pair_counts, minlength=vocab_size)
    followers = np.bincount(keys // vocab_size, minlength=vocab_size)

    rows = np.arange(len(held_out))[:, None]
    targets = held_out[rows, positions].astype(np.int64).ravel()
    contexts = held_out[rows, positions - 1].astype(np.int64).ravel()
    wanted = contexts * vocab_size + targets
    found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    seen = np.where(keys[found] == wanted, pair_counts[found] - _DISCOUNT, 0.0)
    total = np.maximum(context_counts[contexts], 1.0)
    backoff = np.where(context_counts[contexts] > 0, _DISCOUNT * followers[contexts] / total, 1.0)
    bigram = seen / total + backoff * unigram[targets]
    return NgramLosses(unigram_nats=float(-np.log(unigram[targets]).mean()), bigram_nats=float(-np.log(bigram).mean()))
