"""Distil one student fully: online teacher, dynamic masks, three losses, resumable to the same curve."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.artifacts.files import atomic_directory
from ose.core.recipe import DistillationSpec
from ose.distillation.batches import TrainingText, masking_rule, step_batches
from ose.distillation.module import DistillationModule, StepLosses
from ose.errors import NonFiniteLossError
from ose.tasks.fill_mask.masking import MaskingRule
from ose.training.attention import quick_attention
from ose.training.checkpoint import load_checkpoint, save_checkpoint
from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from ose.training.parallel import accumulating, is_first, rank, share_gradients, sum_over_processes, world_size
from ose.training.tensorboard import ScalarLog


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRun:
    """Everything a distillation needs, already loaded.

    Attributes:
        spec: The recipe.
        teacher: Frozen.
        student: Trained in place.
        tokenizer: For the special tokens.
        sequences: The training text, an array (N, T) for each length.
        folder: Checkpoints, logs and the result go here.
    """

    spec: DistillationSpec
    teacher: PreTrainedModel
    student: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sequences: TrainingText
    folder: Path


def distill(run: DistillationRun, on_step: Callable[[int, StepLosses], None]) -> float:
    """Train the student to its last step, going on from the newest checkpoint if there is one.

    Batches, masks and learning rate are functions of (seed, step), so a resumed run follows the curve that
    an uninterrupted one would have. Processes that train together (`ose.training.parallel`) split each step's
    micro-batches, so their number does not change the curve either; each of them calls this, and the first one
    writes checkpoints and logs.

    Args:
        run: What to train and how.
        on_step: Called in the first process after each optimiser step, with the number of steps done.

    Returns:
        Wall time of all sessions together, in seconds.

    Raises:
        NonFiniteLossError: Training diverged; the last checkpoint is from before.
        StorageError: A checkpoint could not be written; the one before it is untouched.
    """
    spec = run.spec
    torch.manual_seed(spec.seed)
    device = run.student.device
    module = DistillationModule(run.student, run.teacher.config.hidden_size).to(device).eval()
    optimizer = build_optimizer(module, spec.learning_rate, weight_decay=spec.weight_decay, betas=spec.betas)
    state = load_checkpoint(run.folder / "checkpoints", module, optimizer) or {"step": 0, "wall_time_s": 0.0}
    rule = masking_rule(run.sequences, spec, run.tokenizer)
    shared = share_gradients(module, lambda: _first_loss(run, module, rule))
    started = time.perf_counter() - state["wall_time_s"]
    with ScalarLog(run.folder / "logs") if is_first() else nullcontext() as log:
        for step in range(state["step"], spec.steps):
            rate = spec.learning_rate * learning_rate_factor(step, spec.steps, spec.warmup_fraction)
            set_learning_rate(optimizer, rate)
            with quick_attention(run.student):  # not while the student is judged, in `on_step`
                losses = _train_step(run, shared, rule, step)
            nn.utils.clip_grad_norm_(module.parameters(), spec.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            if log is None:
                continue
            log.write(step + 1, {"learning_rate": rate, **asdict(losses)})
            on_step(step + 1, losses)
            if (step + 1) % spec.checkpoint_every == 0 or step + 1 == spec.steps:
                wall_time_s = time.perf_counter() - started
                save_checkpoint(run.folder / "checkpoints", step + 1, module, optimizer, {"wall_time_s": wall_time_s})
    return time.perf_counter() - started


def save_student(run: DistillationRun, facts: dict[str, Any]) -> Path:
    """Write the student's weights, its tokenizer and `facts` to `folder/student`."""
    with atomic_directory(run.folder / "student") as target:
        run.student.save_pretrained(target)
        run.tokenizer.save_pretrained(target)
        (target / "distillation.json").write_text(json.dumps(facts, indent=2), encoding="utf8")
    return run.folder / "student"


def _train_step(run: DistillationRun, module: nn.Module, rule: MaskingRule, step: int) -> StepLosses:
    """Accumulate the gradients of one optimiser step, this process's part of them."""
    totals = torch.zeros(len(fields(StepLosses)), device=run.student.device)
    mine = step_batches(run.sequences, run.spec, rule, step)[rank() :: world_size()]
    for number, (batch, share) in enumerate(mine, 1):
        with accumulating(module, is_last=number == len(mine)):
            losses = module(batch, run.teacher, run.spec)
            (losses[0] * (share * world_size())).backward()  # gradients are averaged over the processes, not summed
        totals += losses.detach() * share
    sum_over_processes(totals)
    if not totals.isfinite().all():
        raise NonFiniteLossError(f"the loss is {totals[0].item()} at step {step + 1} of {run.spec.steps}")
    return StepLosses.of(totals)


def _first_loss(run: DistillationRun, module: DistillationModule, rule: MaskingRule) -> torch.Tensor:
    """The loss of one micro-batch, the same in all processes."""
    batch, _ = step_batches(run.sequences, run.spec, rule, 0)[0]
    return module(batch, run.teacher, run.spec)[0]
