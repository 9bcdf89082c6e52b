"""Folders that are named after the training step at which they were written."""

from __future__ import annotations

from pathlib import Path

_PREFIX = "step-"

CHECKPOINTS, GENERAL_CHECKPOINTS = "checkpoints", "general-checkpoints"
"""Where a distillation has those of its stages: of the one on the task, and of that on text without labels before."""


def step_folder(folder: Path, step: int) -> Path:
    """The one of a step, whether it is there or not."""
    return folder / f"{_PREFIX}{step:08d}"


def step_folders(folder: Path) -> dict[int, Path]:
    """All there are in a folder, by step, the earliest first."""
    steps = {path.name.removeprefix(_PREFIX): path for path in sorted(folder.glob(f"{_PREFIX}*"))}
    return {int(step): path for step, path in steps.items() if step.isdecimal()}
