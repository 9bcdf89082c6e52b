"""A row of a leaderboard: one candidate, ranked."""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.job import CandidateStatus
from ose.core.layer_choice import LayerChoice
from ose.core.spec import Hyperparameters


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One candidate. Its fields are the JSON names everywhere.

    Attributes:
        rank: By score among the candidates that passed; null for the others.
        candidate: Its number in the job.
        layers: The teacher's layers it kept; before its training, the choice; null of a random start.
        flops: Of the encoder, one sequence of the latency protocol's length.
        loss_nats: Cross-entropy to the teacher's distribution at held-out masked positions.
        group: 1 for the best candidate and all leaders that do not differ significantly from it; 2 for the first that
            does and those that do not from that one; null beyond the leaders.
        loss_to_best_nats: Its loss less that of the best candidate, on the same held-out sequences; null beyond the
            leaders.
        score_to_best: Likewise its score. Both have the standard errors of a paired difference beside them.
        is_pareto: No other candidate has at most its parameters, latency and loss, and less of one.
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
    error: dict[str, str] | None
