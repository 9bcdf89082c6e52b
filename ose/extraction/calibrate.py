"""A teacher's calibration: measured once for each teacher and corpus, kept in a folder, shared by all students."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import torch
from transformers import PreTrainedModel

from ose.artifacts.files import remove_leftovers
from ose.artifacts.intact import is_intact, write_intact_json
from ose.core.messages import CalibrationRequest
from ose.extraction.calibration import Calibration, load_calibration, measure_calibration, save_calibration
from ose.extraction.eliminate import elimination_ranks
from ose.tasks.registry import load_task

_FILE = "anatomy.safetensors"  # the name under which earlier versions stored it
_RANKS = "layer-elimination.json"


def prepare_calibration(request: CalibrationRequest, teacher: PreTrainedModel) -> None:
    """Draw the sample and measure the teacher on it, unless the folder has the result already.

    Raises:
        CorpusError: Too little text.
        TeacherError: The tokenizer cannot be loaded.
        StorageError: The folder cannot be written.
    """
    folder = Path(request.folder)
    remove_leftovers(folder)
    task = load_task(request.teacher.task)
    if not is_intact(folder / _FILE):
        save_calibration(folder / _FILE, measure_calibration(teacher, task.sample(request, teacher), task.rules.name))
    if request.eliminates_layers and not is_intact(folder / _RANKS):
        calibration = load_calibration(folder / _FILE).to(teacher.device)
        write_intact_json(folder / _RANKS, elimination_ranks(task, teacher, calibration).tolist())


def open_calibration(folder: Path) -> Calibration:
    """Read what `prepare_calibration` stored."""
    calibration = load_calibration(folder / _FILE)
    if not is_intact(folder / _RANKS):
        return calibration
    ranks = torch.tensor(json.loads((folder / _RANKS).read_text(encoding="utf8")))
    return replace(calibration, importance={**calibration.importance, "layers.elimination": ranks})
