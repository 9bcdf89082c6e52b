"""Candidates as lists show them: a page at a time, without the raw measurements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from ose.core.architecture import Architecture
from ose.core.job import CandidateStatus, FailureReport
from ose.core.layer_choice import LayerChoice
from ose.core.spec import Hyperparameters

Order = Literal["score", "loss", "latency", "parameters", "candidate"]
"""Ascending, except scores. Rows without the value come last, and equal ones by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow:
    """A candidate without its samples and curves. RowMeasures are null where nothing is measured yet.

    Attributes:
        number: 1, 2, ... in the job's order.
        layers: The teacher's layers that it was to keep.
        teacher_layers: Those it kept.
        score: Under the job's own rule.
    """

    number: int
    status: CandidateStatus
    architecture: Architecture
    hyperparameters: Hyperparameters
    layers: LayerChoice | None
    num_steps: int
    num_parameters: int
    num_encoder_parameters: int
    flops: int
    latency_p50_ms: float | None
    latency_p50_stderr_ms: float | None
    latency_p90_ms: float | None
    latency_flagged: bool | None
    loss_nats: float | None
    loss_stderr_nats: float | None
    divergence_stderr_nats: float | None
    masked_lm_loss_nats: float | None
    masked_accuracy: float | None
    wall_time_s: float | None
    teacher_layers: tuple[int, ...] | None
    score: float | None
    score_stderr: float | None
    rejection: str | None
    failure: FailureReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateLimits:
    """What a candidate may have at most; None is no limit. Under any limit, only candidates that passed are left."""

    max_latency_ms: float | None = None
    max_parameters: int | None = None
    max_loss_nats: float | None = None


NO_LIMITS = CandidateLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page ends.

    Attributes:
        value: What its last row is ordered by; None if the row has none.
        number: The last row's number.
        num_before: Rows up to it, in order of score therefore its rank.
    """

    value: float | None
    number: int
    num_before: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatePage:
    """Some rows of a longer list.

    Attributes:
        rows: In order.
        end: Where the next page goes on; None if there is none.
    """

    rows: tuple[CandidateRow, ...]
    end: Position | None


class Objectives(NamedTuple):
    """What a candidate that passed is compared by: for a Pareto front, which needs all of them at once."""

    number: int
    num_parameters: int
    latency_p50_ms: float
    loss_nats: float


class RowMeasures(NamedTuple):
    """What decides where a candidate stands; None where nothing is measured.

    Attributes:
        has_rank: Whether it passed, and so is compared with others.
        is_listed: Whether lists show it.
    """

    number: int
    num_parameters: int
    latency_p50_ms: float | None
    loss_nats: float | None
    has_rank: bool
    is_listed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of a job's candidates since an earlier look.

    Attributes:
        mark: Stands for this look; hand it in to be told what changed after it.
        figures: Of those that were added or changed since. Some may be the same as before.
    """

    mark: int
    figures: tuple[RowMeasures, ...]
