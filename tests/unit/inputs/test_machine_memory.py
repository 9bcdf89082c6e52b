from __future__ import annotations

from pathlib import Path

import psutil

from ose.inputs.machine_memory import _limits, machine_memory_bytes


def test_a_machine_has_no_more_than_its_memory():
    assert 0 < machine_memory_bytes() <= psutil.virtual_memory().total


def test_the_lowest_limit_above_a_group_counts(tmp_path: Path):
    inner = tmp_path / "service" / "inner"
    inner.mkdir(parents=True)
    (tmp_path / "service" / "memory.max").write_text("3000\n")
    (inner / "memory.max").write_text("max\n")
    assert _limits(tmp_path, [("/service/inner", "memory.max"), ("memory", "memory.limit_in_bytes")]) == [3000]


def test_the_older_interface_is_read_too(tmp_path: Path):
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("2000\n")
    assert _limits(tmp_path, [("memory", "memory.limit_in_bytes")]) == [2000]
