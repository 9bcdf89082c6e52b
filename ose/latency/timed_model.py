"""Build the model whose latency is measured, and save it for the runtime that will run it. It takes torch."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from ose.artifacts.files import atomic_directory
from ose.core.messages import SavedModelRequest, TimedModel
from ose.families.registry import load_family
from ose.runtimes.base import Part
from ose.runtimes.noise import fill_with_noise
from ose.runtimes.registry import runtime_saver
from ose.tasks.few_tensors import few_tensors
from ose.tasks.loading import load_config
from ose.tasks.registry import load_task, task_rules


def save_timed_model(request: SavedModelRequest) -> None:
    """Save a model with weights of no meaning, on which latency does not depend.

    Raises:
        TeacherError: The teacher has no configuration that can be loaded.
        StorageError: The model cannot be written.
    """
    needs_weights = runtime_saver(request.runtime).needs_weights
    model = _built(request.model, "cpu" if needs_weights else "meta")
    if needs_weights:
        fill_with_noise(model)
    part = task_rules(request.model.teacher.task).timed_part
    save_for_timing(model, part, Path(request.folder), request.runtime, request.precision)


def save_for_timing(model: PreTrainedModel, part: Part, folder: Path, runtime: str, precision: str) -> None:
    """Save what is timed of a model, with its weights only if the runtime needs them. The model is used up.

    Raises:
        StorageError: The model cannot be written.
    """
    saver = runtime_saver(runtime)
    saved = model if saver.needs_weights else model.to_empty(device="meta")
    with atomic_directory(folder) as temporary:
        saver.save(saved, part, temporary, precision)


def _built(model: TimedModel, device: str) -> PreTrainedModel:
    config = load_config(model.teacher.path)
    if not model.is_teacher:
        family = load_family(model.architecture.family)
        return family.build_blank_student(config, model.architecture, model.teacher.task, device)
    with few_tensors(), no_init_weights(), torch.device(device):
        teacher: PreTrainedModel = load_task(model.teacher.task).model_class.from_config(config)
    return teacher
