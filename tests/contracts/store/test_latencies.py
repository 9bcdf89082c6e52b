"""Latencies belong to a shape, a protocol and a device."""

from __future__ import annotations

import builders
import pytest
from builders import NOW
from stored import LATER, SOON

from ose.store.base import Store

KEY = ("shape", "protocol", "device")


def test_the_newest_of_a_key_is_found(store: Store) -> None:
    store.add_latency(*KEY, builders.latency(1.0), SOON)
    newest = store.add_latency(*KEY, builders.latency(2.0, is_flagged=True), LATER)
    store.add_latency(*KEY, builders.latency(3.0), NOW)
    assert newest.measurement == builders.latency(2.0, is_flagged=True)
    assert store.latency(*KEY) == newest


def test_of_two_at_one_moment_the_second_is_newer(store: Store) -> None:
    store.add_latency(*KEY, builders.latency(1.0), NOW)
    second = store.add_latency(*KEY, builders.latency(2.0), NOW)
    assert store.latency(*KEY) == second


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_part_of_the_key_counts(store: Store, position: int) -> None:
    store.add_latency(*KEY, builders.latency(), NOW)
    other = [*KEY]
    other[position] = "other"
    assert store.latency(*other) is None
