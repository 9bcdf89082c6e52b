"""Evaluate one candidate: build the student, train it s steps against the teacher, judge it."""

from __future__ import annotations

import math
import resource
import time
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ose.core.measurement import Evaluation
from ose.core.task import EvaluateTask
from ose.errors import NonFiniteLossError
from ose.measure.quality import mean_and_stderr
from ose.models.anatomy import Anatomy
from ose.models.forward import logits_at
from ose.pipelines.search_data import SearchData
from ose.pipelines.start import Start, initial_student
from ose.training.attention import quick_attention
from ose.training.losses import cross_entropy_to, sampled_cross_entropy
from ose.training.optimizer import build_optimizer, learning_rate_factor, set_learning_rate
from ose.training.precision import autocast

MAX_GRAD_NORM = 1.0
_ROWS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutQuality:
    """A student on the held-out targets of a search."""

    loss_nats: float
    loss_stderr_nats: float
    masked_lm_loss_nats: float
    masked_accuracy: float
    masked_accuracy_stderr: float
    sequence_losses_nats: tuple[float, ...]


def evaluate_candidate(
    task: EvaluateTask, teacher: PreTrainedModel, data: SearchData, anatomy: Anatomy | None = None
) -> Evaluation:
    """Train the candidate of `task` and measure its distance from the teacher.

    Everything random follows from the task's seed, and all candidates see the same batches in the same
    order, so differences between candidates are differences between architectures.

    Args:
        task: What to train, and for how long.
        teacher: Its weights are inherited, if the task says so; it is never run here. The student trains on
            its device.
        data: The search's batches and the teacher's stored targets.
        anatomy: The teacher's, on its device; None where the task's inheritance needs none.

    Raises:
        NonFiniteLossError: Training diverged.
        InvalidInputError: The student cannot inherit from this teacher.
    """
    started = time.perf_counter()
    start = Start(initialization=task.initialization, inheritance=task.inheritance, seed=task.seed, anatomy=anatomy)
    student = initial_student(teacher, task.architecture, start)
    training_started = time.perf_counter()
    with quick_attention(student):
        losses = train_student(student, task, data)
    trained = time.perf_counter()
    quality = held_out_quality(student, data)
    return Evaluation(
        loss_nats=quality.loss_nats,
        loss_stderr_nats=quality.loss_stderr_nats,
        masked_lm_loss_nats=quality.masked_lm_loss_nats,
        masked_accuracy=quality.masked_accuracy,
        sequence_losses_nats=quality.sequence_losses_nats,
        training_losses_nats=tuple(losses),
        num_steps=task.num_steps,
        wall_time_s=time.perf_counter() - started,
        training_time_s=trained - training_started,
        peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        teacher_layers=start.layers(teacher.config.num_hidden_layers, task.architecture.num_hidden_layers),
    )


def train_student(student: PreTrainedModel, task: EvaluateTask, data: SearchData) -> list[float]:
    """Train in place with the distribution loss at masked positions; return each step's loss."""
    hyperparameters = task.hyperparameters
    optimizer = build_optimizer(student, hyperparameters.learning_rate, weight_decay=hyperparameters.weight_decay)
    device = student.device
    losses: list[float] = []
    for step in range(task.num_steps):
        rows = torch.arange(step * hyperparameters.batch_size, (step + 1) * hyperparameters.batch_size)
        rows %= len(data.train.input_ids)
        factor = learning_rate_factor(step, task.num_steps, hyperparameters.warmup_fraction)
        set_learning_rate(optimizer, hyperparameters.learning_rate * factor)
        input_ids, positions = data.train.input_ids[rows], data.train.positions[rows]
        with autocast(device, task.precision):
            logits = logits_at(student, input_ids.to(device), positions.to(device))
        loss = sampled_cross_entropy(logits.float(), data.draws_of(rows).to(device))
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            raise NonFiniteLossError(f"the loss is {losses[-1]} at step {step + 1} of {task.num_steps}")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(student.parameters(), MAX_GRAD_NORM)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if task.weight_clip is not None:
            clip_weights(student, task.weight_clip)
    return losses


def clip_weights(model: torch.nn.Module, bound: float) -> None:
    """Force every weight into [-bound, bound]: the compactness that the approximation's proof assumes."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.clamp_(-bound, bound)


def held_out_quality(student: PreTrainedModel, data: SearchData, num_sequences: int | None = None) -> HeldOutQuality:
    """Judge a student on the fixed held-out set, exactly: the teacher's whole distribution counts.

    Args:
        student: The model.
        data: The search's held-out targets.
        num_sequences: Only the first ones; None takes all.
    """
    device = student.device
    sequence_losses: list[float] = []
    lm_losses: list[float] = []
    hits: list[float] = []
    with torch.inference_mode():
        for rows in torch.arange(len(data.held_out.input_ids))[:num_sequences].split(_ROWS_AT_ONCE):
            labels = data.held_out.labels[rows].to(device)
            input_ids, positions = data.held_out.input_ids[rows], data.held_out.positions[rows]
            logits = logits_at(student, input_ids.to(device), positions.to(device)).float()
            teacher_log_probs = data.log_probs_of(rows).to(device)
            sequence_losses += cross_entropy_to(teacher_log_probs, logits).double().mean(dim=1).tolist()
            log_probs = logits.log_softmax(dim=-1)
            lm_losses += (-log_probs.gather(-1, labels[..., None])).double().mean(dim=(1, 2)).tolist()
            hits += (logits.argmax(-1) == labels).double().mean(dim=1).tolist()
    loss, loss_stderr = mean_and_stderr(sequence_losses)
    if not math.isfinite(loss):
        raise NonFiniteLossError(f"the held-out loss is {loss}")
    accuracy, accuracy_stderr = mean_and_stderr(hits)
    return HeldOutQuality(
        loss_nats=loss,
        loss_stderr_nats=loss_stderr,
        masked_lm_loss_nats=mean_and_stderr(lm_losses)[0],
        masked_accuracy=accuracy,
        masked_accuracy_stderr=accuracy_stderr,
        sequence_losses_nats=tuple(sequence_losses),
    )
