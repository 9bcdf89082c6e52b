"""A board of a space that was not searched: sizes counted, losses by a law that a searched space follows.

    python benchmarks/preferences/imagined_board.py board.json --space bort --shape 24,16,1024,4096 --output bort.json
    python benchmarks/preferences/preferences.py bort.json --output results/preferences

What would a score choose under a teacher that nobody here can train against? Of the board given, the distance from the
teacher is fitted as a product of powers of the shares of the teacher's depth, width and feed-forward width. The same
law then stands for the losses of the other space's members, and operations for their latencies, whose order they share
(Spearman 0.997 on the table of 27). It is an extrapolation, and the board's name says so. Prints the fit, and how far the
searched members lie from it.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.shapes import parse_shape
from ose.core.architecture import Architecture
from ose.core.plain import plain
from ose.families.counts import FamilyCounts
from ose.inputs.space_files import load_space

AXES = ("num_hidden_layers", "hidden_size", "intermediate_size")
SEQUENCE_LENGTH = 128


def shares(architecture: Architecture, teacher: Architecture) -> list[float]:
    """Logarithms of the shares of the teacher along each axis; heads change neither size nor operations."""
    return [math.log(getattr(architecture, axis) / getattr(teacher, axis)) for axis in AXES]


class Law:
    """log(loss - entropy) = a + sum of b log(share), by least squares over the members of a board.

    Attributes:
        exponents: By axis; negative, as more of each brings a student nearer.
        spread: Standard deviation of the members about the law, as a share of their distance.
    """

    def __init__(self, board: dict[str, Any]) -> None:
        self.entropy = board["teacher"]["loss_nats"]
        teacher = Architecture(**board["teacher"]["architecture"])
        rows = [row for row in board["rows"] if row["status"] == "SUCCEEDED"]
        inputs = np.array([[1.0, *shares(Architecture(**row["architecture"]), teacher)] for row in rows])
        distances = np.log([row["loss_nats"] - self.entropy for row in rows])
        self._weights = np.linalg.lstsq(inputs, distances, rcond=None)[0]
        self.exponents = dict(zip(AXES, self._weights[1:].tolist(), strict=True))
        self.spread = float(np.std(distances - inputs @ self._weights))

    def loss_nats(self, architecture: Architecture, teacher: Architecture) -> float:
        """Of a member of another space, whose teacher is taken to have the same entropy."""
        return float(self.entropy + np.exp(self._weights @ [1.0, *shares(architecture, teacher)]))


def imagined(board: dict[str, Any], space_name: str, teacher: Architecture) -> dict[str, Any]:
    """What `ose leaderboard --format json` would print of the space, as far as `preferences.py` reads it."""
    law, space = Law(board), load_space(space_name)
    if space.embedding is None:
        raise SystemExit(f"{space_name} names no embedding, without which parameters cannot be counted")
    counts = FamilyCounts(space.embedding)
    members = list(space.members(counts))

    def row(architecture: Architecture, loss_nats: float) -> dict[str, Any]:
        return {
            "status": "SUCCEEDED",
            "architecture": plain(architecture),
            "num_parameters": counts.parameters(architecture).total,
            "latency_p50_ms": counts.flops(architecture, SEQUENCE_LENGTH) / 1e9,
            "loss_nats": loss_nats,
            "masked_accuracy": None,
        }

    return {
        "job": {"name": f"{space_name}-by-the-law-of-{board['job']['name']}"},
        "teacher": row(teacher, law.entropy),
        "rows": [row(each.architecture, law.loss_nats(each.architecture, teacher)) for each in members],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("board", type=Path, help="what `ose leaderboard ID --format json` prints of a searched space")
    parser.add_argument("--space", default="bort", help="a shipped space, or a file of one that names its embedding")
    parser.add_argument(
        "--shape", type=parse_shape, default="24,16,1024,4096", help="D,A,H,I of its teacher; RoBERTa large by default"
    )
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    board = json.loads(options.board.read_text(encoding="utf8"))
    law = Law(board)
    powers = ", ".join(f"{axis} {exponent:.2f}" for axis, exponent in law.exponents.items())
    print(f"{board['job']['name']}: exponents {powers}; members lie {law.spread:.0%} about the law")
    content = imagined(board, options.space, options.shape)
    options.output.write_text(json.dumps(content), encoding="utf8")


if __name__ == "__main__":
    main()
