"""The profile of a training step, on a student of a few thousand weights."""

from __future__ import annotations

from argparse import Namespace
from types import ModuleType

import pytest
from torch.utils.flop_counter import FlopCounterMode

from ose.core.architecture import Architecture

SHAPE = Architecture(num_hidden_layers=2, num_attention_heads=2, hidden_size=32, intermediate_size=64)
OPTIONS = Namespace(vocabulary=300, batch_size=3, sequence_length=20, steps=2)


@pytest.fixture
def script() -> ModuleType:
    from benchmarks.speed import step_profile

    return step_profile


def test_the_products_that_are_counted_are_those_that_run(script: ModuleType) -> None:
    step = script.Step(SHAPE, OPTIONS)
    with FlopCounterMode(display=False) as counter, script.quick_attention(step.student):
        step.run()
    assert counter.get_total_flops() == sum(script.products_flops(SHAPE, OPTIONS).values())


def test_a_step_changes_the_student_and_every_part_is_timed(script: ModuleType) -> None:
    step = script.Step(SHAPE, OPTIONS)
    before = {name: weight.clone() for name, weight in step.student.named_parameters()}
    times_s = step.run()
    assert set(script.products_flops(SHAPE, OPTIONS)) < set(times_s) and len(times_s) == 7
    assert all((weight != before[name]).any() for name, weight in step.student.named_parameters())


def test_the_whole_step_is_the_sum_of_its_parts(script: ModuleType) -> None:
    rows = script.rows_of(SHAPE, [script.profile(SHAPE, OPTIONS)], OPTIONS)
    *parts, whole = rows
    assert whole["time_ms"] == pytest.approx(sum(row["time_ms"] for row in parts), abs=0.5)
    assert sum(row["share_of_step"] for row in parts) == pytest.approx(1, abs=0.01)
    assert "a process" in script.markdown(rows)
