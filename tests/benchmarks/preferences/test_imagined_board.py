"""Boards of spaces that were not searched, from a board that follows a law exactly."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import product
from pathlib import Path
from types import ModuleType

import pytest

from ose.core.architecture import Architecture

TEACHER = Architecture(num_hidden_layers=4, num_attention_heads=4, hidden_size=128, intermediate_size=512)
LARGE = Architecture(num_hidden_layers=24, num_attention_heads=16, hidden_size=1024, intermediate_size=4096)
ENTROPY = 2.0


def distance(shape: Architecture, teacher: Architecture) -> float:
    axes = ("num_hidden_layers", "hidden_size", "intermediate_size")
    shares = [getattr(shape, axis) / getattr(teacher, axis) for axis in axes]
    return 0.3 * math.prod(share**power for share, power in zip(shares, (-0.7, -0.5, -0.2), strict=True))


@pytest.fixture
def script() -> ModuleType:
    from benchmarks.preferences import imagined_board

    return imagined_board


@pytest.fixture
def board() -> dict[str, object]:
    shapes = [
        Architecture(num_hidden_layers=depth, num_attention_heads=4, hidden_size=width, intermediate_size=inner)
        for depth, width, inner in product((1, 2, 4), (64, 128), (128, 512))
    ]
    rows = [
        {"status": "SUCCEEDED", "architecture": asdict(shape), "loss_nats": ENTROPY + distance(shape, TEACHER)}
        for shape in shapes
    ]
    failed = {"status": "FAILED", "architecture": asdict(TEACHER), "loss_nats": None}
    teacher = {"architecture": asdict(TEACHER), "loss_nats": ENTROPY}
    return {"job": {"name": "made"}, "teacher": teacher, "rows": [*rows, failed]}


def test_a_law_is_found_again(script: ModuleType, board: dict[str, object]) -> None:
    law = script.Law(board)
    assert list(law.exponents.values()) == pytest.approx([-0.7, -0.5, -0.2])
    assert law.spread == pytest.approx(0, abs=1e-9)


def test_a_space_has_the_losses_of_the_law(
    script: ModuleType, board: dict[str, object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = json.loads(json.dumps(script.imagined(board, "bort", LARGE)))
    assert len(content["rows"]) == 300 and content["job"]["name"] == "bort-by-the-law-of-made"
    for row in content["rows"]:
        expected = ENTROPY + distance(Architecture(**row["architecture"]), LARGE)
        assert row["loss_nats"] == pytest.approx(expected)
    assert content["teacher"]["loss_nats"] == ENTROPY
    from benchmarks.preferences import preferences

    file = tmp_path / "board.json"
    file.write_text(json.dumps(content))
    shown = preferences.table(preferences.rows_of(preferences.read_board(file)))
    assert "| excess | " in shown and "nan" not in shown
