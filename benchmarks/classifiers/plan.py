"""What the study takes, told from a short measurement before anything is done."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForMaskedLM, AutoModelForSequenceClassification

from benchmarks.classifiers.sizes import TaskSizes
from benchmarks.classifiers.units import Unit
from ose.training.optimizer import build_optimizer
from ose.training.precision import autocast

_BATCH, _WARM_STEPS, _STEPS = 32, 2, 6

START_S = 8.0
"""Of a candidate: its start from the teacher's weights, and its judging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds of one core for a step of 32 items.

    Attributes:
        finetuning: Of the encoder itself.
        distilling: Of a student of half of the encoder's size in each of its axes, its teacher beside it.
        searching: The same on answers that are stored.
        language: The same of a masked language model.
    """

    finetuning: float
    distilling: float
    searching: float
    language: float


def measured_pace(encoder: Path, sizes: TaskSizes, language_length: int) -> Pace:
    """Some steps of each kind, by the processor's own time."""
    whole = AutoConfig.from_pretrained(encoder, num_labels=150)
    half = AutoConfig.from_pretrained(
        encoder,
        num_labels=150,
        num_hidden_layers=max(1, whole.num_hidden_layers // 2),
        hidden_size=whole.hidden_size * 3 // 4,
        intermediate_size=whole.intermediate_size * 3 // 4,
    )
    teacher, student = (AutoModelForSequenceClassification.from_config(config).float() for config in (whole, half))
    searching = _step_s(student, sizes.mean_tokens)
    return Pace(
        finetuning=_step_s(teacher, sizes.mean_tokens),
        distilling=searching + _forward_s(teacher, sizes.mean_tokens),
        searching=searching,
        language=_step_s(AutoModelForMaskedLM.from_config(half).float(), language_length),
    )


def _step_s(model: torch.nn.Module, num_tokens: int) -> float:
    optimizer = build_optimizer(model.train(), 1e-4)

    def step() -> None:
        with autocast(torch.device("cpu"), "auto"):
            logits = model(input_ids=_ids(num_tokens)).logits
            logits = logits[:, : max(1, num_tokens // 7)] if logits.ndim == 3 else logits  # the masked tokens
            loss = F.cross_entropy(logits.flatten(0, -2).float(), torch.zeros(logits[..., 0].numel()).long())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return _cpu_s(step)


@torch.no_grad()
def _forward_s(model: torch.nn.Module, num_tokens: int) -> float:
    return _cpu_s(lambda: model.eval()(input_ids=_ids(num_tokens)))


def _cpu_s(step: object) -> float:
    assert callable(step)
    for _ in range(_WARM_STEPS):
        step()
    started = time.process_time()
    for _ in range(_STEPS):
        step()
    return (time.process_time() - started) / _STEPS


def _ids(num_tokens: int) -> torch.Tensor:
    return torch.randint(5, 100, (_BATCH, num_tokens))


def plan_text(units: Sequence[Unit], done: Sequence[str], pace: Pace) -> str:
    """Hours of two cores for each kind of work, and what is left of them."""
    lines = ["| work | units | done | core hours |", "| --- | --- | --- | --- |"]
    kinds: dict[str, list[Unit]] = {}
    for unit in units:
        kinds.setdefault(unit.kind, []).append(unit)
    for kind, members in kinds.items():
        num_done = sum(unit.name in done for unit in members)
        lines.append(f"| {kind} | {len(members)} | {num_done} | {_core_h(members):.1f} |")
    left = [unit for unit in units if unit.name not in done]
    told: Mapping[str, float] = asdict(pace)
    return "\n".join(
        [
            f"{_core_h(units) / 2:.1f} hours of two cores, {_core_h(left) / 2:.1f} of them left.",
            "",
            *lines,
            "",
            "A step of 32 items takes "
            + ", ".join(f"{1000 * each:.0f} ms {name}" for name, each in told.items())
            + ".",
        ]
    )


def _core_h(units: Sequence[Unit]) -> float:
    return sum(unit.core_s for unit in units) / 3600
