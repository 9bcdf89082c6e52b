"""The shapes of leaderboards and of their candidates, for the OpenAPI document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel

from ose.core.architecture import Architecture
from ose.core.job import ErrorDetail, JobStatus, TrialStatus
from ose.core.measurement import Evaluation, LatencyMeasurement, LatencyProtocol, Metric, TeacherCheck
from ose.core.score import ScoreRule
from ose.core.trust import Trust
from ose.leaderboard.references import ReferenceRow
from ose.leaderboard.row import LeaderboardRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedRule(ScoreRule):
    """The rule that ranks.

    Attributes:
        formula_version: Raised whenever the same measurements would score differently.
        stderr_is_upper_bound: Whether the errors of scores are too wide, in jobs of earlier versions.
    """

    formula_version: int
    stderr_is_upper_bound: bool


class LeaderboardJob(BaseModel):
    """The job that a leaderboard is of.

    Attributes:
        id: The job's.
        name: The job's.
        status: More rows may come while it runs.
        spec_hash: SHA-256 of what was asked for.
        space: The name of its search space.
        latency: How latencies were measured.
        device: Where; null while that is not known.
        score: What ranks the candidates here.
        notes: What to know of teacher and text, a line each.
    """

    id: str
    name: str
    status: JobStatus
    spec_hash: str
    space: str
    latency: LatencyProtocol
    device: str | None
    score: AppliedRule
    notes: list[str]


class LeaderboardTeacher(BaseModel):
    """The teacher with the measures of a row; null where it has not been measured yet.

    Attributes:
        path: Where it was loaded from.
        digest: SHA-256 over its configuration, weights and tokenizer.
        architecture: Its own.
        num_parameters: Of the whole masked language model, tied weights once.
        num_encoder_parameters: Of its layers alone.
        latency_p50_ms: What a forward pass takes, as far as it could be found out.
        latency_p90_ms: The 90th percentile of what was seen, disturbances and all.
        latency_long_p50_ms: As `latency_p50_ms` at the protocol's second length; null where it has none.
        latency_stderr_ms: Standard error of `latency_p50_ms`, which that of every candidate is a multiple of; null of
            jobs that were measured before there were ratios.
        latency_flagged: Whether that error is above its bound: do not believe it.
        loss_nats: Its own entropy: the least loss that any student can reach.
        loss_stderr_nats: Its standard error over sequences.
        metrics: What else the task says of its quality, by name.
        masked_lm_loss_nats: As in `metrics`. It goes with the next version.
        checks: What it was held against before anything was learnt from it; empty in jobs of earlier versions.
        masked_accuracy: As in `metrics`. It goes with the next version.
    """

    path: str
    digest: str
    architecture: Architecture
    num_parameters: int
    num_encoder_parameters: int
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_long_p50_ms: float | None
    latency_stderr_ms: float | None = None
    latency_flagged: bool | None
    loss_nats: float | None
    loss_stderr_nats: float | None
    metrics: dict[str, Metric]
    masked_lm_loss_nats: float | None
    checks: list[TeacherCheck]
    masked_accuracy: float | None


class LeaderboardDocument(BaseModel):
    """Some rows of a leaderboard.

    Attributes:
        job: What it is of.
        teacher: What the candidates are measured against.
        trust: How far to trust the order of the leaders; null where nothing can be said, or no leader is on the page.
        hint: What to do if more steps may change the choice.
        headlines: What has to be said first: of noise in latencies, and of limits that leave nothing.
        rows: In the order that was asked for.
        num_more: Rows after these.
        references: Models that are held against the candidates, and are none; absent where the task has no such rows.
        next: The `after` of the next page; null when these were the last.
    """

    job: LeaderboardJob
    teacher: LeaderboardTeacher
    trust: Trust | None
    hint: str | None
    headlines: list[str] = []
    rows: list[LeaderboardRow]
    num_more: int
    references: list[ReferenceRow] = []
    next: str | None


class TrialDocument(BaseModel):
    """One attempt to evaluate a candidate.

    Attributes:
        id: The trial's.
        attempt: Counted from 1.
        status: INTERRUPTED means that its coordinator died.
        started_at: When a worker began.
        finished_at: When it ended.
        error: Why it failed.
    """

    id: str
    attempt: int
    status: TrialStatus
    started_at: datetime
    finished_at: datetime | None
    error: ErrorDetail | None


@dataclass(frozen=True, kw_only=True)
class EvaluationDocument(Evaluation):
    """What one trial found out about a candidate's quality.

    Attributes:
        masked_lm_loss_nats, masked_accuracy: As in `metrics`. They go with the next version.
    """

    masked_lm_loss_nats: float | None
    masked_accuracy: float | None


@dataclass(frozen=True, kw_only=True)
class CandidateDocument(LeaderboardRow):
    """One candidate, with everything that was measured of it.

    Attributes:
        job: The id of its job.
        earlier_phases: Steps at the end of each phase of its training before the last; empty if it has one.
        earlier_legs: As `earlier_phases`. It goes with the next version.
        continues: The number of the candidate that was trained the earlier phases, and whose place it takes.
        evaluation: What its scored trial found out.
        latency: Its measurement, with every sample.
        trials: All attempts to evaluate it.
    """

    job: str
    earlier_phases: tuple[int, ...]
    earlier_legs: tuple[int, ...]
    continues: int | None
    evaluation: EvaluationDocument | None
    latency: LatencyMeasurement | None
    trials: tuple[TrialDocument, ...]
