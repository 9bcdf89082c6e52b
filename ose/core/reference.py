"""Reference rows: what a search is held against, so that a share of the teacher's quality is not taken for a feat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import hypot
from typing import Literal

from ose.core.architecture import Architecture
from ose.core.job import ErrorDetail
from ose.core.measurement import LatencyMeasurement, Metric

HALF_DEPTH = "half_depth"
LABELS_ALONE = "labels_alone"
STATIC_EMBEDDING = "static_embedding"
BAG_OF_WORDS = "bag_of_words"

Targets = Literal["teacher", "labels"]
"""What a model learns: the teacher's answers, or what a corpus says is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A model beside the candidates of a search that is none of them: it is never ranked or counted.

    Attributes:
        name: One of those that the task has.
        learns: What it was trained on.
        architecture: Of a transformer; None of a linear model.
        num_parameters: Of the whole model; None if it failed.
        num_steps: Trained; None of what is fitted in one go.
        latency: By the job's protocol; linear models on the CPU of a worker.
        loss_nats: Its distance from the teacher on the held-out items; None if it failed.
        loss_stderr_nats: Standard error over items.
        metrics: As candidates have them.
        error: Why there is none.
    """

    name: str
    learns: Targets
    architecture: Architecture | None = None
    num_parameters: int | None = None
    num_steps: int | None = None
    latency: LatencyMeasurement | None = None
    loss_nats: float | None = None
    loss_stderr_nats: float | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    error: ErrorDetail | None = None


NOTHING = Metric(value=0.0, stderr=0.0)


def share(own: Metric, teacher: Metric, floor: Metric = NOTHING) -> Metric | None:
    """How much of the teacher's lead over a floor a model has; with nothing as the floor, of its quality.

    The error is to first order, as if each model were judged on items of its own. They share them, and so it is rather
    too wide.

    Args:
        own: The model's metric; more is better.
        teacher: The teacher's.
        floor: That of a model which costs next to nothing.

    Returns:
        None where the teacher has no lead.
    """
    lead = teacher.value - floor.value
    if lead <= 0:
        return None
    value = (own.value - floor.value) / lead
    if own.stderr is None or teacher.stderr is None or floor.stderr is None:
        return Metric(value=value, stderr=None)
    return Metric(value=value, stderr=hypot(own.stderr, value * teacher.stderr, (1 - value) * floor.stderr) / lead)
