"""Latencies of models taken in turns in one process: what disturbs the machine disturbs all of them.

Beside the time on the wall stands the processor's own, which knows nothing of others that wait for the same core. Shapes
are matched by the latter, which a busy machine tells, too; what is claimed of latencies is the former.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import torch
from transformers import AutoModelForSequenceClassification

from ose.core.architecture import Architecture
from ose.families.registry import load_family
from ose.latency.fingerprint import load_average
from ose.latency.other_load import OtherLoad
from ose.runtimes.noise import fill_with_noise
from ose.tasks.loading import load_config

_WARM_CALLS, _CALLS = 3, 8

Clock = str
"""`wall_ms` or `cpu_ms`."""


def loaded(folder: str | Path) -> torch.nn.Module:
    """A model as it is deployed."""
    model: torch.nn.Module = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    return model


def blank(teacher: str | Path, shape: Architecture) -> torch.nn.Module:
    """A student of a teacher with weights of no meaning, on which latency does not depend."""
    model = load_family(shape.family).build_blank_student(
        load_config(teacher), shape, "text_classification", torch.device("cpu")
    )
    fill_with_noise(model)
    return model.eval()


@torch.inference_mode()
def in_turns(models: Mapping[str, torch.nn.Module], num_tokens: int, rounds: int) -> list[dict[str, Any]]:
    """A row for each model and round: medians of some calls of one thread on one text, after a few for warmth."""
    torch.set_num_threads(1)
    input_ids = torch.randint(1000, 2000, (1, num_tokens), generator=torch.Generator().manual_seed(0))
    input_ids %= min(model.config.vocab_size for model in models.values())  # type: ignore[union-attr] # transformers'
    rows = []
    for number in range(rounds):
        for name, model in models.items():
            others = OtherLoad()
            times = [_call(model, input_ids) for _ in range(_WARM_CALLS + _CALLS)][_WARM_CALLS:]
            rows.append(
                {
                    "model": name,
                    "num_tokens": num_tokens,
                    "round": number,
                    "wall_ms": median(wall for wall, _ in times),
                    "cpu_ms": median(cpu for _, cpu in times),
                    "other_cores": others.cores(),
                    "load": load_average(),
                }
            )
    return rows


def _call(model: torch.nn.Module, input_ids: torch.Tensor) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    model(input_ids=input_ids)
    return 1000 * (time.perf_counter() - wall), 1000 * (time.thread_time() - cpu)


def shares(rows: list[dict[str, Any]], clock: Clock, of: str = "teacher") -> dict[str, float]:
    """Each model's time as a share of one's in the same round, the median over rounds."""
    whole = {row["round"]: row[clock] for row in rows if row["model"] == of}
    names = dict.fromkeys(row["model"] for row in rows)
    return {
        name: median(row[clock] / whole[row["round"]] for row in rows if row["model"] == name) for name in names
    }  # fmt: skip


class Timer(Protocol):
    """Tells the share of a teacher's latency that shapes have."""

    def share(self, shape: Architecture) -> float:
        """Of one."""

    def told(self) -> list[dict[str, Any]]:
        """Of all that were asked for."""


class ShapeTimer:
    """The shares as they are measured at some length, each shape once.

    Args:
        teacher: Its directory.
        num_tokens: The length.
        rounds: Turns of each.
    """

    def __init__(self, teacher: str | Path, num_tokens: int, rounds: int) -> None:
        self._folder, self._num_tokens, self._rounds = teacher, num_tokens, rounds
        self._teacher = loaded(teacher)
        self._known: dict[Architecture, float] = {}

    def share(self, shape: Architecture) -> float:
        """By the processor's time."""
        if shape not in self._known:
            models = {"teacher": self._teacher, "student": blank(self._folder, shape)}
            self._known[shape] = shares(in_turns(models, self._num_tokens, self._rounds), "cpu_ms")["student"]
        return self._known[shape]

    def told(self) -> list[dict[str, Any]]:
        """What was measured."""
        return [{**asdict(shape), "share": share} for shape, share in self._known.items()]
