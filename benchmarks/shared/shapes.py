"""Shapes as the benchmarks' command lines have them."""

from __future__ import annotations

from ose.core.architecture import Architecture


def parse_shape(text: str) -> Architecture:
    """`D,A,H,I`: layers, heads, width, feed-forward width."""
    depth, heads, hidden, intermediate = map(int, text.split(","))
    return Architecture(
        num_hidden_layers=depth, num_attention_heads=heads, hidden_size=hidden, intermediate_size=intermediate
    )
