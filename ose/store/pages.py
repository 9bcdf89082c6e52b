"""Candidates as lists show them: a page at a time, without the raw measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ose.core.architecture import Architecture
from ose.core.job import CandidateStatus, FailureReport
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import Metric
from ose.core.spec import Hyperparameters

Order = Literal["score", "loss", "latency", "parameters", "candidate"]
"""Ascending, except scores. Rows without the value come last, and equal ones by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateFigures:
    """What every list says of a candidate. Figures are null where nothing is measured yet, and metrics are none.

    Attributes:
        status: REJECTED means that a limit of the job excludes it.
        architecture: Its family and sizes.
        layers: The teacher's layers: the store has those it was to keep, a leaderboard those it kept if they are known,
            and null of a random start.
        hyperparameters: It is trained with.
        num_parameters: Of the whole model, tied weights once.
        num_encoder_parameters: Of its layers alone.
        flops: Of the encoder, one sequence of the latency protocol's length.
        latency_p50_ms: What a forward pass takes: the ratio times the teacher's time; of jobs that were measured before
            there were ratios, the median of calls.
        latency_p90_ms: The 90th percentile of what was seen, disturbances and all.
        latency_long_p50_ms: As `latency_p50_ms` at the protocol's second length; null where it has none.
        latency_ratio: How long it takes in times of the teacher; null of jobs that were measured before there were
            ratios.
        latency_ratio_stderr: Its standard error.
        latency_flagged: Whether an error is above its bound: do not believe it.
        loss_nats: Cross-entropy to the teacher on the held-out items.
        loss_stderr_nats: Its standard error over items.
        metrics: What else the task says of its quality, by name.
        score: The store has it under the job's own rule, a leaderboard under the one that is asked for.
        score_stderr: Its standard error.
        num_steps: Training steps in all.
        wall_time_s: Of its scored trial: build, training and evaluation.
    """

    status: CandidateStatus
    architecture: Architecture
    layers: LayerChoice | None
    hyperparameters: Hyperparameters
    num_parameters: int
    num_encoder_parameters: int
    flops: int
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_long_p50_ms: float | None
    latency_ratio: float | None
    latency_ratio_stderr: float | None
    latency_flagged: bool | None
    loss_nats: float | None
    loss_stderr_nats: float | None
    metrics: Mapping[str, Metric]
    score: float | None
    score_stderr: float | None
    num_steps: int
    wall_time_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRow(CandidateFigures):
    """A candidate as it is stored, without its samples and curves.

    Attributes:
        number: 1, 2, ... in the job's order.
        teacher_layers: The layers it kept.
    """

    number: int
    latency_p50_stderr_ms: float | None
    divergence_stderr_nats: float | None
    teacher_layers: tuple[int, ...] | None
    rejection: str | None
    failure: FailureReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencySummary:
    """What there is to say of all latencies of a job.

    Attributes:
        num_measured: Candidates that have one.
        num_flagged: Those whose latency is not to be believed.
        fastest: Number and milliseconds of the fastest one that has passed, if possible of one to be believed.
    """

    num_measured: int
    num_flagged: int
    fastest: tuple[int, float] | None


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
