"""A row of a leaderboard: one candidate, ranked."""

from __future__ import annotations

from dataclasses import dataclass

from ose.core.job import ErrorDetail
from ose.store.pages import CandidateFigures


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a candidate stands.

    Attributes:
        rank: By score among the candidates that passed; null for the others.
        candidate: Its number in the job.
    """

    rank: int | None
    candidate: int


@dataclass(frozen=True, kw_only=True)
class LeaderboardRow(CandidateFigures, Place):  # the fields of a second base come first
    """One candidate. Its fields are the JSON names everywhere.

    Attributes:
        masked_lm_loss_nats, masked_accuracy: As in `metrics`. They go with the next version.
        group: 1 for the best candidate and all leaders that do not differ significantly from it; 2 for the first that
            does and those that do not from that one; null beyond the leaders.
        loss_to_best_nats: Its loss less that of the best candidate, on the same held-out sequences; null beyond the
            leaders.
        loss_to_best_stderr_nats: The standard error of that difference, paired by sequence.
        score_to_best: Likewise its score less that of the best one.
        score_to_best_stderr: Its standard error, paired likewise.
        is_pareto: No other candidate has at most its parameters, latency and loss, and less of one.
        error: Code and message of a failure, or the limit that excludes it.
    """

    masked_lm_loss_nats: float | None
    masked_accuracy: float | None
    group: int | None
    loss_to_best_nats: float | None
    loss_to_best_stderr_nats: float | None
    score_to_best: float | None
    score_to_best_stderr: float | None
    is_pareto: bool
    error: ErrorDetail | None
