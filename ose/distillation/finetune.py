"""Train a model on labels: the loop of full distillation with what is right in the teacher's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from transformers import PreTrainedModel

from ose.core.finetuning import FinetuningSpec
from ose.tasks.base import StepBatches
from ose.tasks.labelled import LabelledTask
from ose.training.loop import Schedule, TrainingLoop
from ose.training.optimizer import build_optimizer
from ose.training.precision import autocast
from ose.training.quick_attention import quick_attention
from ose.training.step import require_finite
from ose.training.tensorboard import ScalarLog


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuningRun:
    """Everything that training on labels needs, already loaded.

    Attributes:
        task: What the model is to do.
        spec: How it is trained.
        num_steps: In all.
        model: Trained in place.
        batches: Of each step.
        folder: Checkpoints and logs go here.
    """

    task: LabelledTask
    spec: FinetuningSpec
    num_steps: int
    model: PreTrainedModel
    batches: StepBatches
    folder: Path


@dataclass(frozen=True, slots=True)
class StepLoss:
    """The loss of one step, mean over its items."""

    total: float


def finetune(run: FinetuningRun, on_step: Callable[[int, StepLoss], None]) -> float:
    """Train to the last step, going on from the newest checkpoint if there is one; the model is left in evaluation.

    Dropout is what the model's configuration has, as it was pre-trained with: a labelled set is small and is gone
    through several times, where a distillation has a teacher's answers that say more of each text, and needs none.
    What it drops follows from seed and step, as batches do, so a resumed run follows the curve that an uninterrupted
    one would have.

    Args:
        run: What to train and how.
        on_step: Called after each step, with the number of steps done.

    Returns:
        Wall time of all sessions together, in seconds.

    Raises:
        NonFiniteLossError: Training diverged; the last checkpoint is from before.
        StorageError: A checkpoint could not be written; the one before it is untouched.
    """
    spec, model = run.spec, run.model.train()
    optimizer = build_optimizer(model, spec.learning_rate, weight_decay=spec.weight_decay, betas=spec.betas)
    loop = TrainingLoop(model, optimizer, _schedule(run), run.folder / "checkpoints")
    with ScalarLog(run.folder / "logs") as log:

        def log_and_tell(step: int, learning_rate: float, loss: StepLoss) -> None:
            log.write(step, {"learning_rate": learning_rate, "loss": loss.total})
            on_step(step, loss)

        wall_time_s = loop.run(partial(_backward, run), log_and_tell)
    model.eval()
    return wall_time_s


def _schedule(run: FinetuningRun) -> Schedule:
    spec = run.spec
    return Schedule(
        steps=run.num_steps,
        learning_rate=spec.learning_rate,
        warmup_fraction=spec.warmup_fraction,
        max_grad_norm=spec.max_grad_norm,
        checkpoint_every=spec.checkpoint_every,
    )


def _backward(run: FinetuningRun, step: int) -> StepLoss:
    """Accumulate the gradients of one step."""
    torch.manual_seed(run.spec.seed * 1_000_003 + step)  # of dropout
    total = torch.zeros((), device=run.model.device)
    with quick_attention(run.model):
        for batch, share in run.batches(step):
            with autocast(run.model.device, run.spec.precision):
                loss = run.task.label_loss(run.model, batch) * share
            loss.backward()
            total += loss.detach()
    require_finite([total.item()], step, run.num_steps)
    return StepLoss(total.item())
