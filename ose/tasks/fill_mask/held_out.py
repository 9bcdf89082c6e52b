"""Judge a model on the held-out targets of a search: its distance from the teacher's whole distribution."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from ose.core.measurement import metric_of
from ose.core.recipe import Precision
from ose.tasks.base import HeldOutQuality
from ose.tasks.fill_mask.forward import logits_at
from ose.tasks.fill_mask.metrics import METRICS, Outputs
from ose.tasks.fill_mask.resident_data import ResidentData
from ose.tasks.fill_mask.search_data import FillMaskData
from ose.training.losses import cross_entropy_to
from ose.training.precision import autocast

_ROWS_AT_ONCE, _ROWS_AT_ONCE_ON_GPU = 16, 64
"""Held-out sequences judged together: a GPU wants more work, and has the memory for their logits."""


def judge(
    student: PreTrainedModel, data: FillMaskData | ResidentData, num_items: int | None, precision: Precision
) -> torch.Tensor:
    """(1 + metrics, M): each held-out sequence's loss, and its figure by each of `METRICS`, not waited for."""
    device, held_out = student.device, data.held_out
    at_once = _ROWS_AT_ONCE_ON_GPU if device.type == "cuda" else _ROWS_AT_ONCE
    judged: list[torch.Tensor] = []
    with torch.inference_mode():
        rows_of_all = torch.arange(len(held_out.input_ids), device=held_out.input_ids.device)[:num_items]
        for rows in rows_of_all.split(at_once):
            labels = held_out.labels[rows].to(device)
            input_ids, positions = held_out.input_ids[rows].to(device), held_out.positions[rows].to(device)
            with autocast(device, precision):
                logits = logits_at(student, input_ids, positions)
            log_probs = logits.float().log_softmax(dim=-1)
            losses = cross_entropy_to(data.log_probs_of(rows).to(device), log_probs).double().mean(dim=1)
            outputs = Outputs(logits=logits, log_probs=log_probs, labels=labels)
            judged.append(torch.stack([losses, *(metric(outputs) for metric in METRICS.values())]))
        return torch.cat(judged, dim=1)


def quality_of(judged: torch.Tensor, data: FillMaskData | ResidentData) -> HeldOutQuality:
    """What `judge` has found, as means with their standard errors; it needs no other look at the data.

    Raises:
        NonFiniteLossError: The student has diverged.
    """
    losses, *figures = judged.tolist()
    return HeldOutQuality.of(losses, {name: metric_of(each) for name, each in zip(METRICS, figures, strict=True)})
