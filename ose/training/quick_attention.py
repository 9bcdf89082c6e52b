"""Which of torch's ways to compute attention a student trains with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from transformers import PreTrainedModel


@contextmanager
def quick_attention(model: PreTrainedModel) -> Iterator[None]:
    """Train with plain matrix products on a CPU, and with whatever the model came with elsewhere.

    On a CPU the backward pass of torch's fused attention took more time than all the rest of a small student's step
    (results/log.md). Its gain is memory, which matters for sequences far longer than those of a search.
    """
    usual = model.config._attn_implementation
    if model.device.type == "cpu":
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(usual)
