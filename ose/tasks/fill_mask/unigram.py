"""A unigram model of a search's training text: what any trained masked language model knows more than."""

from __future__ import annotations

import numpy as np

from ose.core.measurement import TeacherCheck
from ose.tasks.fill_mask.masking import MaskedBatch

_DISCOUNT = 0.75
"""Absolute discount of Kneser and Ney's method, the usual constant: what it frees goes to all tokens alike."""


def unigram_loss(train: MaskedBatch, held_out: MaskedBatch, vocab_size: int) -> float:
    """Cross-entropy in nats at the held-out targets, by how often each token occurs in the training sequences."""
    tokens = train.input_ids.scatter(1, train.positions, train.labels)
    counts = np.bincount(tokens.numpy().ravel(), minlength=vocab_size).astype(np.float64)
    freed = _DISCOUNT * np.count_nonzero(counts)
    probs = (np.maximum(counts - _DISCOUNT, 0) + freed / vocab_size) / counts.sum()
    return float(-np.log(probs[held_out.labels.numpy()]).mean())


def unigram_check(loss_nats: float, train: MaskedBatch, held_out: MaskedBatch, vocab_size: int) -> TeacherCheck:
    """Hold a teacher's loss against the unigram model's.

    Args:
        loss_nats: The teacher's, at the held-out targets.
        train: What the unigram model counts.
        held_out: What both are asked.
        vocab_size: Choices that the teacher has.
    """
    bound = unigram_loss(train, held_out, vocab_size)
    is_passed = loss_nats < bound
    return TeacherCheck(
        name="masked_lm_loss_nats",
        value=loss_nats,
        bound=bound,
        is_passed=is_passed,
        told=(
            f"its loss at {held_out.labels.numel():,} masked tokens is {loss_nats:.2f} nats, where a unigram model of "
            f"the text has {bound:.2f}"
            + ("" if is_passed else ": it knows less of this text than how often each token occurs")
        ),
    )
