"""Students picked by hand lie at the latency of the choice, where there is such a one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.classifiers.hand_picked import TOLERANCE, half_depth, narrow_and_deep, wide_and_shallow
from ose.core.architecture import Architecture, EmbeddingShape
from ose.families.counts import FamilyCounts

MINILM = Architecture(num_hidden_layers=6, num_attention_heads=12, hidden_size=384, intermediate_size=1536)
COUNTS = FamilyCounts(EmbeddingShape(vocab_size=30_522, max_position_embeddings=512))


def share(shape: Architecture) -> float:
    """Operations, and what each layer takes whatever its width."""
    return (COUNTS.flops(shape, 128) / COUNTS.flops(MINILM, 128) + 0.02 * shape.num_hidden_layers / 6) / 1.02


@pytest.mark.parametrize("wanted", [0.49, 0.25, 0.24, 0.12])
@pytest.mark.parametrize("pick", [half_depth, narrow_and_deep, wide_and_shallow])
def test_they_lie_within_the_tolerance(pick: object, wanted: float) -> None:
    assert callable(pick)
    shape = pick(MINILM, wanted, share, COUNTS, 24)
    assert share(shape) == pytest.approx(wanted, rel=TOLERANCE)
    assert shape.intermediate_size <= 1536 and shape.hidden_size <= 384


def test_each_is_what_its_name_says() -> None:
    half = half_depth(MINILM, 0.5, share, COUNTS, 24)
    assert (half.num_hidden_layers, half.hidden_size) == (3, 384)
    deep = narrow_and_deep(MINILM, 0.25, share, COUNTS, 24)
    assert deep.num_hidden_layers == 6 and deep.hidden_size < 250
    shallow = wide_and_shallow(MINILM, 0.25, share, COUNTS, 24)
    assert (shallow.num_hidden_layers, shallow.hidden_size) == (2, 384)
    assert wide_and_shallow(MINILM, 0.49, share, COUNTS, 24).num_hidden_layers == 4  # three of them are half depth


def test_where_none_has_the_latency_it_is_said() -> None:
    with pytest.raises(RuntimeError, match=r"0\.001 of the teacher"):
        wide_and_shallow(replace(MINILM, num_hidden_layers=2), 0.001, share, COUNTS, 24)
