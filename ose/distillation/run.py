"""Distil one student fully: online teacher, new batches each step, weighted losses, resumable to the same curve."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.artifacts.intact import intact_directory
from ose.artifacts.step_folders import CHECKPOINTS, GENERAL_CHECKPOINTS
from ose.core.recipe import DistillationSpec, general_recipe
from ose.distillation.module import DistillationModule, StepLosses
from ose.families.registry import known_family
from ose.tasks.base import StepBatches, Task
from ose.training.loop import Schedule, TrainingLoop
from ose.training.optimizer import build_optimizer
from ose.training.parallel import accumulating, is_first, rank, share_gradients, sum_over_processes, world_size
from ose.training.quick_attention import quick_attention
from ose.training.step import require_finite
from ose.training.tensorboard import ScalarLog


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRun:
    """Everything a distillation needs, already loaded.

    Attributes:
        task: What the teacher does, and the student is to do.
        spec: The recipe.
        teacher: Frozen.
        student: Trained in place.
        tokenizer: Saved beside the student.
        batches: Of each step.
        folder: Checkpoints, logs and the result go here.
        general: Batches of the stage on text without labels, if the recipe has steps of it.
    """

    task: Task
    spec: DistillationSpec
    teacher: PreTrainedModel
    student: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    batches: StepBatches
    folder: Path
    general: StepBatches | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    """A training of its own, with its own optimiser and its own rise and fall of the learning rate.

    Attributes:
        spec: Its recipe.
        batches: Of each of its steps.
        checkpoints: Their folder.
        first_step: Steps of the stages before.
    """

    spec: DistillationSpec
    batches: StepBatches
    checkpoints: Path
    first_step: int = 0


def distill(run: DistillationRun, on_step: Callable[[int, StepLosses], None]) -> float:
    """Train the student to its last step, stage after stage, going on from the newest checkpoint if there is one.

    Batches, masks and learning rate are functions of (seed, step), so a resumed run follows the curve that
    an uninterrupted one would have. Processes that train together (`ose.training.parallel`) split each step's
    micro-batches, so their number does not change the curve either; each of them calls this, and the first one
    writes checkpoints and logs.

    Args:
        run: What to train and how.
        on_step: Called in the first process after each optimiser step, with the number of steps done of all stages.

    Returns:
        Wall time of all sessions together, in seconds.

    Raises:
        NonFiniteLossError: Training diverged; the last checkpoint is from before.
        StorageError: A checkpoint could not be written; the one before it is untouched.
    """
    torch.manual_seed(run.spec.seed)
    module = DistillationModule(run.task, run.student, run.teacher.config.hidden_size).to(run.student.device).eval()
    stages = _stages(run)
    shared = share_gradients(module, lambda: _first_loss(run, stages[0], module))
    with ScalarLog(run.folder / "logs") if is_first() else nullcontext() as log:

        def log_and_tell(step: int, learning_rate: float, losses: StepLosses) -> None:
            assert log is not None
            log.write(step, {"learning_rate": learning_rate, **asdict(losses)})
            on_step(step, losses)

        return sum(_train(run, stage, module, shared, log_and_tell) for stage in stages)


def save_student(run: DistillationRun, facts: dict[str, Any]) -> Path:
    """Write the student's weights, its tokenizer and `facts` to `folder/student`."""
    with intact_directory(run.folder / "student") as target:
        run.student.save_pretrained(target)
        run.tokenizer.save_pretrained(target)
        (target / "distillation.json").write_text(json.dumps(facts, indent=2), encoding="utf8")
    return run.folder / "student"


def _stages(run: DistillationRun) -> tuple[_Stage, ...]:
    """Those of the recipe, in order. What shares gradients is made once: the first stage reaches the fewest weights."""
    before, folder = run.spec.general_steps, run.folder
    task = _Stage(spec=run.spec, batches=run.batches, checkpoints=folder / CHECKPOINTS, first_step=before)
    if not before:
        return (task,)
    assert run.general is not None
    spec = general_recipe(run.spec, relates=known_family(run.teacher.config.model_type) is not None)
    return _Stage(spec=spec, batches=run.general, checkpoints=folder / GENERAL_CHECKPOINTS), task


def _train(
    run: DistillationRun,
    stage: _Stage,
    module: DistillationModule,
    shared: nn.Module,
    on_step: Callable[[int, float, StepLosses], None],
) -> float:
    """Take the steps of a stage that are left; its wall time."""
    spec = stage.spec
    optimizer = build_optimizer(module, spec.learning_rate, weight_decay=spec.weight_decay, betas=spec.betas)
    loop = TrainingLoop(module, optimizer, _schedule(spec), stage.checkpoints)
    return loop.run(
        partial(_backward, run, stage, shared),
        lambda step, learning_rate, losses: on_step(stage.first_step + step, learning_rate, losses),
    )


def _schedule(spec: DistillationSpec) -> Schedule:
    return Schedule(
        steps=spec.steps,
        learning_rate=spec.learning_rate,
        warmup_fraction=spec.warmup_fraction,
        max_grad_norm=spec.max_grad_norm,
        checkpoint_every=spec.checkpoint_every,
    )


def _backward(run: DistillationRun, stage: _Stage, module: nn.Module, step: int) -> StepLosses:
    """Accumulate the gradients of one optimiser step, this process's part of them."""
    totals = torch.zeros(len(fields(StepLosses)), device=run.student.device)
    mine = stage.batches(step)[rank() :: world_size()]
    with quick_attention(run.student):  # not while the student is judged, after the step
        for number, (batch, share) in enumerate(mine, 1):
            with accumulating(module, is_last=number == len(mine)):
                losses = module(batch, run.teacher, stage.spec)
                (losses[0] * (share * world_size())).backward()  # gradients are averaged over the processes, not summed
            totals += losses.detach() * share
    sum_over_processes(totals)
    require_finite(totals.tolist(), stage.first_step + step, run.spec.all_steps)
    return StepLosses.of(totals)


def _first_loss(run: DistillationRun, stage: _Stage, module: DistillationModule) -> torch.Tensor:
    """The loss of one micro-batch, the same in all processes."""
    batch, _ = stage.batches(0)[0]
    losses: torch.Tensor = module(batch, run.teacher, stage.spec)
    return losses[0]
