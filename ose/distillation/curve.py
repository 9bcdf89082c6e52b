"""The held-out loss of a student while it is distilled, as a file that a resumed run goes on with."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from ose.artifacts.files import atomic_file
from ose.artifacts.step_folders import CHECKPOINTS, GENERAL_CHECKPOINTS
from ose.core.recipe import DistillationSpec
from ose.tasks.base import SearchData, Task
from ose.tasks.judging import held_out_quality
from ose.training.checkpoint import newest_state

_STAGE = "stage"


class HeldOutCurve:
    """A line of `curve.csv` every so many steps, on the targets that the search's candidates were judged on.

    Beside the loss stands every metric, and the stage where there are two. A step is written once: what a resumed run
    does again comes out the same. Wall time is that of all sessions, these evaluations included.

    Args:
        folder: The distillation's, with its checkpoints.
        task: Judges.
        student: Judged as it stands when asked.
        data: The held-out targets.
        spec: Says how many steps lie between two lines, 0 writes none, and how many are the first stage's.
    """

    def __init__(
        self, folder: Path, task: Task, student: PreTrainedModel, data: SearchData, spec: DistillationSpec
    ) -> None:
        self._file, self._spec, self._every = folder / "curve.csv", spec, spec.evaluate_every
        self._task, self._student, self._data = task, student, data
        states = [newest_state(folder / name) for name in (GENERAL_CHECKPOINTS, CHECKPOINTS)]
        self._started = time.perf_counter() - sum(state["wall_time_s"] for state in states if state)
        if not any(states):
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
        lines.append({"step": step, **self._stage(step), "wall_time_s": wall_time_s, **loss, **metrics})
        columns = list(dict.fromkeys(name for line in lines for name in line))
        with atomic_file(self._file) as temporary, temporary.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(lines)

    def _stage(self, step: int) -> dict[str, str]:
        """Which one a step ends in, where there are two."""
        general_steps = self._spec.general_steps
        return {_STAGE: "general" if step <= general_steps else "task"} if general_steps else {}


def read_curve(file: Path) -> list[dict[str, Any]]:
    """The lines of a `curve.csv`, none if there is no such file. One begun by an older OSE lacks some metrics."""
    if not file.exists():
        return []
    with file.open(newline="") as stream:
        return [
            {
                **{name: text if name == _STAGE else float(text) for name, text in row.items() if text},
                "step": int(row["step"]),
            }
            for row in csv.DictReader(stream)
        ]
