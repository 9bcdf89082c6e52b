"""A row of a leaderboard: one candidate, ranked."""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.job import CandidateStatus, ErrorDetail
from ose.core.layer_choice import LayerChoice
from ose.core.spec import Hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One candidate. Its fields are the JSON names everywhere.

    Attributes:
        rank: By score among the candidates that passed; null for the others.
        candidate: Its number in the job.
        status: REJECTED means that a limit of the job excludes it.
        architecture: Its four numbers.
        layers: The teacher's layers it kept; before its training, the choice; null of a random start.
        hyperparameters: It is trained with.
        num_parameters: Of the whole masked language model, tied weights once.
        num_encoder_parameters: Of its layers alone.
        flops: Of the encoder, one sequence of the latency protocol's length.
        latency_p50_ms: Median of the encoder's forward pass.
        latency_p90_ms: The 90th percentile of the same calls.
        latency_flagged: Whether the measurement was disturbed: do not believe it.
        loss_nats: Cross-entropy to the teacher's distribution at held-out masked positions.
        loss_stderr_nats: Its standard error over sequences.
        masked_lm_loss_nats: Cross-entropy against the true tokens.
        masked_accuracy: Share of the held-out targets whose true token it ranks first.
        score: Under the rule that ranks; null without a rank.
        score_stderr: Its standard error.
        group: 1 for the best candidate and all leaders that do not differ significantly from it; 2 for the first that
            does and those that do not from that one; null beyond the leaders.
        loss_to_best_nats: Its loss less that of the best candidate, on the same held-out sequences; null beyond the
            leaders.
        loss_to_best_stderr_nats: The standard error of that difference, paired by sequence.
        score_to_best: Likewise its score less that of the best one.
        score_to_best_stderr: Its standard error, paired likewise.
        is_pareto: No other candidate has at most its parameters, latency and loss, and less of one.
        num_steps: Training steps in all.
        wall_time_s: Of its scored trial: build, training and evaluation.
        error: Code and message of a failure, or the limit that excludes it.
    """

    rank: int | None
    candidate: int
    status: CandidateStatus
    architecture: Architecture
    layers: LayerChoice | None
    hyperparameters: Hyperparameters
    num_parameters: int
    num_encoder_parameters: int
    flops: int
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_flagged: bool | None
    loss_nats: float | None
    loss_stderr_nats: float | None
    masked_lm_loss_nats: float | None
    masked_accuracy: float | None
    score: float | None
    score_stderr: float | None
    group: int | None
    loss_to_best_nats: float | None
    loss_to_best_stderr_nats: float | None
    score_to_best: float | None
    score_to_best_stderr: float | None
    is_pareto: bool
    num_steps: int
    wall_time_s: float | None
    error: ErrorDetail | None
