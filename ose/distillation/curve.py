"""The held-out loss of a student while it is distilled, as a file that a resumed run goes on with."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ose.artifacts.files import atomic_file
from ose.tasks.base import SearchData, Task
from ose.tasks.judging import held_out_quality
from ose.training.checkpoint import newest_state


class HeldOutCurve:
    """A line of `curve.csv` every so many steps, on the targets that the search's candidates were judged on.

    Beside the loss stands every metric. A step is written once: what a resumed run does again comes out the same. Wall
    time is that of all sessions, these evaluations included.

    Args:
        folder: The distillation's, with its checkpoints.
        task: Judges.
        student: Judged as it stands when asked.
        data: The held-out targets.
        every: Steps between lines; 0 writes none.
    """

    def __init__(self, folder: Path, task: Task, student: PreTrainedModel, data: SearchData, every: int) -> None:
        self._file, self._every = folder / "curve.csv", every
        self._task, self._student, self._data = task, student, data
        state = newest_state(folder / "checkpoints")
        self._started = time.perf_counter() - (state["wall_time_s"] if state else 0.0)
        if state is None:
            self.at(0)

    def at(self, step: int, *, is_last: bool = False) -> None:
        """Write a line if `step` is one of those that have one.

        Raises:
            NonFiniteLossError: The student has diverged.
            StorageError: The file cannot be written.
        """
        if not self._every or (step % self._every and not is_last):
            return
        lines = read_curve(self._file)
        if any(line["step"] == step for line in lines):
            return
        wall_time_s = time.perf_counter() - self._started if step else 0.0
        quality = held_out_quality(self._task, self._student, self._data)
        loss = {"loss_nats": quality.loss_nats, "loss_stderr_nats": quality.loss_stderr_nats}
        metrics = {name: metric.value for name, metric in quality.metrics.items()}
        lines.append({"step": step, "wall_time_s": wall_time_s, **loss, **metrics})
        columns = list(dict.fromkeys(name for line in lines for name in line))
        with atomic_file(self._file) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(lines)


def read_curve(file: Path) -> list[dict[str, Any]]:
    """The lines of a `curve.csv`, none if there is no such file. One begun by an older OSE lacks some metrics."""
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return [
            {**{name: float(text) for name, text in row.items() if text}, "step": int(row["step"])}
            for row in csv.DictReader(stream)
        ]
