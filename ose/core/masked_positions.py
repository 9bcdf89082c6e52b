"""How many positions of a sequence a masked language model has to fill in."""

from __future__ import annotations

MASKED_FRACTION = 0.15
"""BERT's (arXiv 1810.04805, section 3.1)."""


def num_targets(sequence_length: int, fraction: float = MASKED_FRACTION) -> int:
    """K: the same for every sequence, so that targets are a rectangle."""
    return max(1, round(fraction * sequence_length))
