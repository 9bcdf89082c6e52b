"""Read a job's candidates as a leaderboard: scored, ranked, filtered, under any rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from ose.core.architecture import Architecture
from ose.core.job import Candidate, CandidateStatus, FailureReport, Job, inheritance_of
from ose.core.layers import LayerChoice
from ose.core.objectives import measures, teacher_measures
from ose.core.ranking import pareto_front
from ose.core.score import FORMULA_VERSION, Score, ScoreRule, score
from ose.core.spec import Hyperparameters
from ose.store.base import Store

if TYPE_CHECKING:
    import pandas

Order = Literal["score", "loss", "latency", "parameters", "candidate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardRow:
    """One candidate. Its fields are the JSON names everywhere.

    Attributes:
        rank: By score among the candidates that passed; null for the others.
        candidate: Its number in the job.
        layers: The teacher's layers it kept; before its training, the choice; null of a random start.
        flops: Of the encoder, one sequence of the latency protocol's length.
        loss_nats: Cross-entropy to the teacher's distribution at held-out masked positions.
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
    is_pareto: bool
    num_steps: int
    wall_time_s: float | None
    error: dict[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderboardQuery:
    """Which rows, in which order, under which rule.

    Attributes:
        order_by: Ascending, except scores.
        pareto: Only the Pareto front.
        limit: At most so many rows; None gives all.
        max_latency_ms, max_parameters, max_loss_nats: Rows beyond are left out, and others move up.
        rule: Scores are computed anew under this rule; None takes the job's own.
    """

    order_by: Order = "score"
    pareto: bool = False
    limit: int | None = None
    max_latency_ms: float | None = None
    max_parameters: int | None = None
    max_loss_nats: float | None = None
    rule: ScoreRule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """A job's candidates beside their teacher.

    Attributes:
        num_more: Rows that the query's limit has left out.
    """

    job: dict[str, Any]
    teacher: dict[str, Any]
    rows: tuple[LeaderboardRow, ...]
    num_more: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values under the JSON names."""
        rows = [asdict(row) for row in self.rows]
        return {"job": self.job, "teacher": self.teacher, "rows": rows, "num_more": self.num_more}

    def to_frame(self) -> pandas.DataFrame:
        """A pandas table with one row a candidate and one column a value."""
        import pandas

        return pandas.DataFrame(flat_rows(self.rows))


def read_leaderboard(store: Store, job_id: str, query: LeaderboardQuery | None = None) -> Leaderboard:
    """Rank a job's candidates.

    Raises:
        NotFoundError: No such job.
    """
    query = query or LeaderboardQuery()
    job = store.job(job_id)
    rule = query.rule or job.spec.score
    candidates = store.candidates(job.id)
    passed = [candidate for candidate in candidates if _passes(candidate, query)]
    scores = {candidate.number: _score(candidate, job, rule) for candidate in passed}
    ranked = sorted(passed, key=lambda candidate: (-scores[candidate.number].value, candidate.number))
    ranks = {candidate.number: rank for rank, candidate in enumerate(ranked, start=1)}
    front = dict(zip((c.number for c in passed), pareto_front([_objectives(c) for c in passed]), strict=True))
    hidden = {c.number for c in candidates if c.evaluation is not None} - ranks.keys() if _has_limits(query) else set()
    rows = [
        _row(c, job, ranks.get(c.number), scores.get(c.number), front.get(c.number, False))
        for c in candidates
        if c.number not in hidden and (front.get(c.number, False) or not query.pareto)
    ]
    rows.sort(key=_ORDERS[query.order_by])
    shown = tuple(rows[: query.limit])
    return Leaderboard(job=_job(job, rule), teacher=teacher_json(job), rows=shown, num_more=len(rows) - len(shown))


def teacher_json(job: Job) -> dict[str, Any]:
    """The teacher with the same measures as a row; null where it has not been measured yet."""
    latency, quality = job.teacher_latency, job.teacher_quality
    return {
        "path": job.teacher.path,
        "digest": job.teacher.digest,
        "architecture": asdict(job.teacher.architecture),
        "num_parameters": job.teacher.num_parameters,
        "num_encoder_parameters": job.teacher.num_encoder_parameters,
        "latency_p50_ms": latency.p50_ms if latency else None,
        "latency_p90_ms": latency.p90_ms if latency else None,
        "latency_flagged": latency.is_flagged if latency else None,
        "loss_nats": quality.entropy_nats if quality else None,
        "loss_stderr_nats": quality.entropy_stderr_nats if quality else None,
        "masked_lm_loss_nats": quality.masked_lm_loss_nats if quality else None,
        "masked_accuracy": quality.masked_accuracy if quality else None,
    }


def layers_of(job: Job, candidate: Candidate) -> LayerChoice | None:
    """The teacher's layers that a candidate kept, or what is known of them before it is trained."""
    if job.spec.search.initialization == "random":
        return None
    kept = candidate.evaluation.teacher_layers if candidate.evaluation else None
    return kept if kept is not None else inheritance_of(job, candidate).layers


def flat_rows(rows: Sequence[LeaderboardRow]) -> list[dict[str, Any]]:
    """Rows without nesting, for tables: `architecture.hidden_size`, `error.message`."""
    flat = []
    for row in rows:
        values: dict[str, Any] = {}
        for name, value in asdict(row).items():
            if isinstance(value, dict):
                values |= {f"{name}.{key}": inner for key, inner in value.items()}
            elif name == "error":
                values |= {"error.code": None, "error.message": None}
            elif isinstance(value, tuple):
                values[name] = list(value)
            else:
                values[name] = value
        flat.append(values)
    return flat


def _passes(candidate: Candidate, query: LeaderboardQuery) -> bool:
    """Whether a trained candidate is ranked. A rejection by the job's own limits stays one."""
    if candidate.status is not CandidateStatus.SUCCEEDED or candidate.evaluation is None or candidate.latency is None:
        return False
    bounds = (
        (query.max_latency_ms, candidate.latency.p50_ms),
        (query.max_parameters, candidate.num_parameters),
        (query.max_loss_nats, candidate.evaluation.loss_nats),
    )
    return all(bound is None or value <= bound for bound, value in bounds)


def _has_limits(query: LeaderboardQuery) -> bool:
    return any(b is not None for b in (query.max_latency_ms, query.max_parameters, query.max_loss_nats))


def _score(candidate: Candidate, job: Job, rule: ScoreRule) -> Score:
    assert candidate.latency is not None and candidate.evaluation is not None
    student = measures(candidate.num_parameters, candidate.latency, candidate.evaluation)
    return score(student, teacher_measures(job), rule)


def _objectives(candidate: Candidate) -> tuple[float, ...]:
    assert candidate.latency is not None and candidate.evaluation is not None
    return (candidate.num_parameters, candidate.latency.p50_ms, candidate.evaluation.loss_nats)


def _row(candidate: Candidate, job: Job, rank: int | None, scored: Score | None, is_pareto: bool) -> LeaderboardRow:
    latency, evaluation = candidate.latency, candidate.evaluation
    return LeaderboardRow(
        rank=rank,
        candidate=candidate.number,
        status=candidate.status,
        architecture=candidate.architecture,
        layers=layers_of(job, candidate),
        hyperparameters=candidate.hyperparameters,
        num_parameters=candidate.num_parameters,
        num_encoder_parameters=candidate.num_encoder_parameters,
        flops=candidate.flops,
        latency_p50_ms=latency.p50_ms if latency else None,
        latency_p90_ms=latency.p90_ms if latency else None,
        latency_flagged=latency.is_flagged if latency else None,
        loss_nats=evaluation.loss_nats if evaluation else None,
        loss_stderr_nats=evaluation.loss_stderr_nats if evaluation else None,
        masked_lm_loss_nats=evaluation.masked_lm_loss_nats if evaluation else None,
        masked_accuracy=evaluation.masked_accuracy if evaluation else None,
        score=scored.value if scored else None,
        score_stderr=scored.stderr if scored else None,
        is_pareto=is_pareto,
        num_steps=candidate.num_steps,
        wall_time_s=evaluation.wall_time_s if evaluation else None,
        error=_error(candidate.failure, candidate.rejection),
    )


def _error(failure: FailureReport | None, rejection: str | None) -> dict[str, str] | None:
    if failure is not None:
        return {"code": failure.code, "message": failure.message}
    return {"code": "rejected", "message": rejection} if rejection else None


def _job(job: Job, rule: ScoreRule) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "spec_hash": job.spec_hash,
        "space": job.spec.space.name,
        "latency": asdict(job.spec.latency),
        "device": str(job.teacher_latency.fingerprint) if job.teacher_latency else None,
        "score": {**asdict(rule), "formula_version": FORMULA_VERSION},
    }


def _ascending(name: str) -> Callable[[LeaderboardRow], tuple[bool, float, int]]:
    def key(row: LeaderboardRow) -> tuple[bool, float, int]:
        value = getattr(row, name)
        return value is None, value if value is not None else 0.0, row.candidate

    return key


_ORDERS: dict[str, Callable[[LeaderboardRow], tuple[bool, float, int]]] = {
    "score": _ascending("rank"),
    "loss": _ascending("loss_nats"),
    "latency": _ascending("latency_p50_ms"),
    "parameters": _ascending("num_parameters"),
    "candidate": _ascending("candidate"),
}
