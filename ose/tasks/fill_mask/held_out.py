"""Judge a model on the held-out targets of a search: its distance from the teacher's whole distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from ose.core.recipe import Precision
from ose.errors import NonFiniteLossError
from ose.tasks.fill_mask.evaluate import mean_and_stderr
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.resident_data import ResidentData
from ose.tasks.fill_mask.search_data import SearchData
from ose.training.losses import cross_entropy_to
from ose.training.precision import autocast

_ROWS_AT_ONCE, _ROWS_AT_ONCE_ON_GPU = 16, 64
"""Held-out sequences judged together: a GPU wants more work, and has the memory for their logits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOutQuality:
    """A student on the held-out targets of a search."""

    loss_nats: float
    loss_stderr_nats: float
    masked_lm_loss_nats: float
    masked_accuracy: float
    masked_accuracy_stderr: float
    sequence_losses_nats: tuple[float, ...]


def held_out_quality(
    student: PreTrainedModel, data: SearchData | ResidentData, num_sequences: int | None = None
) -> HeldOutQuality:
    """Judge a student on the fixed held-out set, exactly: the teacher's whole distribution counts.

    Args:
        student: The model.
        data: The search's held-out targets.
        num_sequences: Only the first ones; None takes all.

    Raises:
        NonFiniteLossError: The student has diverged.
    """
    return quality_of(judge(student, data, num_sequences, "float32"))


def judge(
    student: PreTrainedModel, data: SearchData | ResidentData, num_sequences: int | None, precision: Precision
) -> torch.Tensor:
    """(3, M): each held-out sequence's loss, masked LM loss and share of tokens that are right, not waited for."""
    device, held_out = student.device, data.held_out
    at_once = _ROWS_AT_ONCE_ON_GPU if device.type == "cuda" else _ROWS_AT_ONCE
    judged: list[torch.Tensor] = []
    with torch.inference_mode():
        rows_of_all = torch.arange(len(held_out.input_ids), device=held_out.input_ids.device)[:num_sequences]
        for rows in rows_of_all.split(at_once):
            labels = held_out.labels[rows].to(device)
            input_ids, positions = held_out.input_ids[rows].to(device), held_out.positions[rows].to(device)
            with autocast(device, precision):
                logits = logits_at(student, input_ids, positions)
            log_probs = logits.float().log_softmax(dim=-1)
            losses = cross_entropy_to(data.log_probs_of(rows).to(device), log_probs).double().mean(dim=1)
            lm_losses = (-log_probs.gather(-1, labels[..., None])).double().mean(dim=(1, 2))
            hits = (logits.argmax(-1) == labels).double().mean(dim=1)
            judged.append(torch.stack([losses, lm_losses, hits]))
        return torch.cat(judged, dim=1)


def quality_of(judged: torch.Tensor) -> HeldOutQuality:
    """What `judge` has found, as means with their standard errors.

    Raises:
        NonFiniteLossError: The student has diverged.
    """
    sequence_losses, lm_losses, hits = judged.tolist()
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
