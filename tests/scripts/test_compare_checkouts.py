"""What the comparison of two checkouts takes for a difference."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "compare_checkouts.py"
ROW = {"candidate": 1, "loss_nats": 0.1 + 0.2, "architecture": {"hidden_size": 96}, "layers": [0, 2], "error": None}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare_checkouts", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_equal_boards_have_no_difference(script: ModuleType) -> None:
    assert script.first_difference([ROW], json.loads(json.dumps([ROW]))) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"loss_nats": 0.3}, "[0].loss_nats: 0.30000000000000004 and 0.3"),
        ({"architecture": {"hidden_size": 192}}, "[0].architecture.hidden_size: 96 and 192"),
        ({"layers": [0, 3]}, "[0].layers[1]: 2 and 3"),
        ({"layers": [0]}, "[0].layers: 2 and 1 entries"),
        ({"candidate": 1.0}, "[0].candidate: 1 and 1.0"),
        ({"error": {}}, "[0].error: None and {}"),
        ({"new": 1}, "[0].new is only in the other"),
    ],
)
def test_the_last_bit_the_kind_and_the_names_count(script: ModuleType, changes: dict[str, Any], told: str) -> None:
    assert script.first_difference([ROW], [ROW | changes]) == told


def test_a_row_too_many_is_told(script: ModuleType) -> None:
    assert script.first_difference([ROW], [ROW, ROW]) == ": 1 and 2 entries"


def test_what_is_measured_in_time_is_left_out_and_order_is_by_number(script: ModuleType) -> None:
    rows = [{"candidate": 2, "wall_time_s": 1.0}, {"candidate": 1, "latency_p50_ms": 3.0, "score": 0.5}]
    assert script.untimed(rows) == [{"candidate": 1, "score": 0.5}, {"candidate": 2}]
