"""Distil one student fully: online teacher, dynamic masks, three losses, resumable to the same curve."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ose.artifacts.files import atomic_directory
from ose.core.spec import DistillationSpec
from ose.data.masking import MaskedBatch, MaskingRule, draw_masks
from ose.errors import NonFiniteLossError
from ose.models.forward import encode
from ose.training.checkpoint import load_checkpoint, save_checkpoint
from ose.training.losses import cosine_loss, soft_target_loss
from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from ose.training.precision import autocast
from ose.training.tensorboard import ScalarLog


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """The losses of one optimiser step, means over its micro-batches; 0 for one that is switched off."""

    total: float
    soft_targets: float
    masked_lm: float
    cosine: float


class Trainee(nn.Module):
    """A student with the projection that its hidden states need to be compared with the teacher's.

    The projection is trained along and thrown away at the end (TinyBERT, arXiv 1909.10351, W_h).
    """

    def __init__(self, student: PreTrainedModel, teacher_hidden_size: int) -> None:
        super().__init__()
        self.student = student
        width = student.config.hidden_size
        self.projection = (
            nn.Identity() if width == teacher_hidden_size else nn.Linear(width, teacher_hidden_size, bias=False)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DistillationRun:
    """Everything a distillation needs, already loaded.

    Attributes:
        spec: The recipe.
        teacher: Frozen.
        student: Trained in place.
        tokenizer: For the special tokens.
        sequences: (N, T) packed training text.
        folder: Checkpoints, logs and the result go here.
    """

    spec: DistillationSpec
    teacher: PreTrainedModel
    student: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    sequences: np.ndarray
    folder: Path


def distill(run: DistillationRun, on_step: Callable[[int, StepLosses], None]) -> float:
    """Train the student to its last step, going on from the newest checkpoint if there is one.

    Batches, masks and learning rate are functions of (seed, step), so a resumed run follows the curve that
    an uninterrupted one would have.

    Args:
        run: What to train and how.
        on_step: Called after each optimiser step with the number of steps done.

    Returns:
        Wall time of all sessions together, in seconds.

    Raises:
        NonFiniteLossError: Training diverged; the last checkpoint is from before.
        StorageError: A checkpoint could not be written; the one before it is untouched.
    """
    spec = run.spec
    torch.manual_seed(spec.seed)
    device = run.student.device
    trainee = Trainee(run.student, run.teacher.config.hidden_size).to(device).eval()
    optimizer = build_optimizer(trainee, spec.learning_rate, weight_decay=spec.weight_decay)
    state = load_checkpoint(run.folder / "checkpoints", trainee, optimizer) or {"step": 0, "wall_time_s": 0.0}
    rule = MaskingRule.for_tokenizer(run.tokenizer, spec.mask_fraction)
    started = time.perf_counter() - state["wall_time_s"]
    with ScalarLog(run.folder / "logs") as log:
        for step in range(state["step"], spec.steps):
            rate = spec.learning_rate * learning_rate_factor(step, spec.steps, spec.warmup_fraction)
            set_learning_rate(optimizer, rate)
            losses = _train_step(run, trainee, rule, step)
            nn.utils.clip_grad_norm_(trainee.parameters(), spec.max_grad_norm)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            log.write(step + 1, {"learning_rate": rate, **asdict(losses)})
            on_step(step + 1, losses)
            if (step + 1) % spec.checkpoint_every == 0 or step + 1 == spec.steps:
                wall_time_s = time.perf_counter() - started
                save_checkpoint(run.folder / "checkpoints", step + 1, trainee, optimizer, {"wall_time_s": wall_time_s})
    return time.perf_counter() - started


def save_student(run: DistillationRun, facts: dict[str, Any]) -> Path:
    """Write the student's weights, its tokenizer and `facts` to `folder/student`."""
    with atomic_directory(run.folder / "student") as target:
        run.student.save_pretrained(target)
        run.tokenizer.save_pretrained(target)
        (target / "distillation.json").write_text(json.dumps(facts, indent=2), encoding="utf8")
    return run.folder / "student"


def _train_step(run: DistillationRun, trainee: Trainee, rule: MaskingRule, step: int) -> StepLosses:
    """Accumulate the gradients of one optimiser step."""
    spec = run.spec
    batch = _masked_batch(run, rule, step)
    totals = torch.zeros(4)
    for rows in torch.arange(spec.batch_size).split(spec.micro_batch_size):
        share = len(rows) / spec.batch_size
        micro = MaskedBatch(batch.input_ids[rows], batch.positions[rows], batch.labels[rows])
        parts = _losses(run, trainee, micro)
        (parts[0] * share).backward()
        totals += torch.stack([part.detach().float().cpu() for part in parts]) * share
    if not totals.isfinite().all():
        raise NonFiniteLossError(f"the loss is {totals[0].item()} at step {step + 1} of {spec.steps}")
    total, soft_targets, masked_lm, cosine = totals.tolist()
    return StepLosses(total=total, soft_targets=soft_targets, masked_lm=masked_lm, cosine=cosine)


def _losses(run: DistillationRun, trainee: Trainee, batch: MaskedBatch) -> tuple[torch.Tensor, ...]:
    """Weighted sum, soft targets, masked LM, cosine; nothing is computed for a loss that weighs nothing."""
    spec, device = run.spec, run.student.device
    weights = spec.weights
    input_ids, positions = batch.input_ids.to(device), batch.positions.to(device)
    soft = masked_lm = cosine = torch.zeros((), device=device)
    with autocast(device, spec.precision):
        student = encode(run.student, input_ids)
        logits_at = cache(student.logits)  # two losses may want them at the same positions
        if weights.soft_targets or weights.cosine:
            with torch.no_grad():
                teacher = encode(run.teacher, input_ids)
        if weights.soft_targets:
            where = None if spec.positions == "all" else positions
            with torch.no_grad():
                teacher_logits = teacher.logits(where)
            soft = soft_target_loss(
                teacher_logits.flatten(0, 1).float(), logits_at(where).flatten(0, 1).float(), spec.temperature
            )
        if weights.masked_lm:
            labels = batch.labels.flatten().to(device)
            masked_lm = F.cross_entropy(logits_at(positions).flatten(0, 1).float(), labels)
        if weights.cosine:
            cosine = cosine_loss(teacher.states.float(), trainee.projection(student.states).float())
    total = weights.soft_targets * soft + weights.masked_lm * masked_lm + weights.cosine * cosine
    return total, soft, masked_lm, cosine


def _masked_batch(run: DistillationRun, rule: MaskingRule, step: int) -> MaskedBatch:
    """Step `step`'s sequences with masks drawn anew: an epoch is a fixed shuffle of all sequences."""
    spec = run.spec
    first = step * spec.batch_size
    wanted = np.arange(first, first + spec.batch_size)
    epochs, offsets = wanted // len(run.sequences), wanted % len(run.sequences)
    rows = np.empty_like(wanted)
    for epoch in np.unique(epochs):
        order = np.random.default_rng((spec.seed, int(epoch))).permutation(len(run.sequences))
        rows[epochs == epoch] = order[offsets[epochs == epoch]]
    generator = torch.Generator().manual_seed(spec.seed * 1_000_003 + step)
    return draw_masks(torch.from_numpy(run.sequences[rows].astype(np.int64)), rule, generator)
