"""Training curves for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tensorboardX import SummaryWriter


class ScalarLog:
    """Writes scalars as TensorBoard event files. A resumed run adds a file to the same folder.

    Args:
        folder: Show it with `tensorboard --logdir`.
    """

    def __init__(self, folder: Path) -> None:
        self._writer = SummaryWriter(str(folder), flush_secs=10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, step: int, scalars: dict[str, float]) -> None:
        """Add one point to each curve."""
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, step)
