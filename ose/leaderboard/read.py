"""Read a job's candidates as a leaderboard: scored, ranked, filtered, under any rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal

from ose.core.bounds import FACTOR, Bounds, require_bounds
from ose.core.former_names import former_figures
from ose.core.job import ErrorDetail, FailureReport, Job
from ose.core.layer_choice import LayerChoice
from ose.core.measurement import metrics_json
from ose.core.plain import plain
from ose.core.score import FORMULA_VERSION, ScoreRule
from ose.core.trust import Trust
from ose.errors import InvalidInputError
from ose.families.coverage import notes_of
from ose.leaderboard.confidence import NO_COMPARISON, Comparison, hint, read_comparison
from ose.leaderboard.csv import flat_rows
from ose.leaderboard.headlines import read_headlines
from ose.leaderboard.ranking import Ranking, read_ranking
from ose.leaderboard.references import NO_REFERENCES, ReferencePart, ReferenceRow, read_references
from ose.leaderboard.row import LeaderboardRow
from ose.store.base import Store
from ose.store.pages import NO_LIMITS, CandidateFigures, CandidateLimits, CandidateRow, Order

if TYPE_CHECKING:
    import pandas

_ALL = 10**9
"""More candidates than any job has."""


_SAME = {field.name for field in fields(CandidateFigures)} - {"layers", "score", "score_stderr"}
"""What the store's row says as the leaderboard's does. Scores are made anew, under the rule that is asked for."""


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
    limit: Annotated[int | None, Bounds(0, _ALL)] = None
    max_latency_ms: Annotated[float | None, Bounds(0, FACTOR.most)] = None
    max_parameters: Annotated[int | None, Bounds(0, 10**15)] = None
    max_loss_nats: Annotated[float | None, Bounds(0, FACTOR.most)] = None
    rule: ScoreRule | None = None

    def __post_init__(self) -> None:
        require_bounds(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """A job's candidates beside their teacher.

    Attributes:
        num_more: Rows that the query's limit has left out.
        trust: How far to trust the order of the leaders; None where nothing can be said, or no leader is in sight.
        hint: What to do if more steps may change the choice.
        headlines: What has to be said first: of noise, and of limits that leave nothing.
        references: Models that are held against the candidates, and are none; None of a task without them.
    """

    job: dict[str, Any]
    teacher: dict[str, Any]
    rows: tuple[LeaderboardRow, ...]
    num_more: int = 0
    trust: Trust | None = None
    hint: str | None = None
    headlines: tuple[str, ...] = ()
    references: tuple[ReferenceRow, ...] | None = None

    @property
    def metric_names(self) -> tuple[str, ...]:
        """Metrics of the teacher or of a row, in the order in which they come."""
        references = (row.metrics for row in self.references or ())
        measured = (self.teacher["metrics"], *(row.metrics for row in self.rows), *references)
        return tuple(dict.fromkeys(name for metrics in measured for name in metrics))

    def to_json(self) -> dict[str, Any]:
        """Plain values under the JSON names."""
        return {
            "job": self.job,
            "teacher": self.teacher,
            "trust": asdict(self.trust) if self.trust else None,
            "hint": self.hint,
            "headlines": list(self.headlines),
            "rows": [plain(row) for row in self.rows],
            "num_more": self.num_more,
            **self.references_json(),
        }

    def references_json(self) -> dict[str, Any]:
        """Their part; nothing of a task without them."""
        return {} if self.references is None else {"references": [plain(row) for row in self.references]}

    def to_frame(self) -> pandas.DataFrame:
        """A pandas table with one row a candidate and one column a value."""
        import pandas

        return pandas.DataFrame(flat_rows(self.rows, self.metric_names))


def read_leaderboard(store: Store, job_id: str, query: LeaderboardQuery | None = None) -> Leaderboard:
    """Rank a job's candidates.

    Raises:
        NotFoundError: No such job.
    """
    query = query or LeaderboardQuery()
    job = store.job(job_id)
    limits = limits_of(query)
    ranking = read_ranking(store, job, query.rule or job.spec.score, limits)
    page = store.candidate_page(job.id, order="candidate", limit=_ALL)
    shown = [row for row in page.rows if _is_asked_for(row, ranking, query, limits)]
    comparison = read_comparison(store, job, ranking)
    references = read_references(store, job)
    rows = sorted((to_row(row, job, ranking, comparison, references) for row in shown), key=_ORDERS[query.order_by])
    first = tuple(rows[: query.limit])
    headlines = read_headlines(store, job, None if ranking.leaders else query.max_latency_ms)
    num_more, leads = len(rows) - len(first), ranking.smallest_leads
    return to_board(job, ranking.rule, first, num_more, comparison.trust, references, leads, headlines=headlines)


def to_board(
    job: Job,
    rule: ScoreRule,
    rows: tuple[LeaderboardRow, ...],
    num_more: int,
    trust: Trust | None,
    references: ReferencePart = NO_REFERENCES,
    smallest_leads: int = 0,
    headlines: tuple[str, ...] = (),
) -> Leaderboard:
    """Rows beside what they are of. Of the last see `Ranking`."""
    return Leaderboard(
        job=_job(job, rule, smallest_leads),
        teacher=teacher_json(job),
        rows=rows,
        num_more=num_more,
        trust=trust,
        hint=hint(job.id, trust) if trust else None,
        headlines=headlines,
        references=references.rows,
    )


def teacher_json(job: Job) -> dict[str, Any]:
    """The teacher with the same measures as a row; null where it has not been measured yet."""
    latency, quality = job.teacher_latency, job.teacher_quality
    metrics = quality.metrics if quality else {}
    return {
        "path": job.teacher.path,
        "digest": job.teacher.digest,
        "architecture": plain(job.teacher.architecture),
        "num_parameters": job.teacher.num_parameters,
        "num_encoder_parameters": job.teacher.num_encoder_parameters,
        "latency_p50_ms": latency.p50_ms if latency else None,
        "latency_p90_ms": latency.p90_ms if latency else None,
        "latency_long_p50_ms": latency.long_p50_ms if latency else None,
        "latency_stderr_ms": latency.absolute_stderr_ms if latency else None,
        "latency_flagged": latency.is_flagged if latency else None,
        "loss_nats": quality.entropy_nats if quality else None,
        "loss_stderr_nats": quality.entropy_stderr_nats if quality else None,
        "metrics": metrics_json(metrics),
        "checks": [asdict(each) for each in quality.checks] if quality else [],
        **former_figures(metrics),
    }


def asked_rule(own: ScoreRule, formula: Literal["w", "excess"] | None, exponents: str | None) -> ScoreRule:
    """A job's own rule with what was asked for in its place.

    Args:
        own: The job's.
        formula: None leaves it.
        exponents: As people type them, `1,1,2`; None leaves them.

    Raises:
        InvalidInputError: They are no three numbers, or cannot be used.
    """
    return ScoreRule(
        formula=formula or own.formula, exponents=own.exponents if exponents is None else _exponents(exponents)
    )


def _exponents(text: str) -> tuple[float, float, float]:
    try:
        a, b, c = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidInputError(f"exponents must be three numbers as in 1,1,2, not {text!r}") from None
    return a, b, c


def limits_of(query: LeaderboardQuery) -> CandidateLimits:
    """The query's, as the store has them."""
    return CandidateLimits(
        max_latency_ms=query.max_latency_ms,
        max_parameters=query.max_parameters,
        max_loss_nats=query.max_loss_nats,
    )


def _is_asked_for(row: CandidateRow, ranking: Ranking, query: LeaderboardQuery, limits: CandidateLimits) -> bool:
    """CandidateLimits hide what was trained and is beyond them. A rejection by the job's own limits stays one."""
    is_beyond = limits != NO_LIMITS and row.loss_nats is not None and row.number not in ranking.ranks
    return not is_beyond and (row.number in ranking.front or not query.pareto)


def to_row(
    row: CandidateRow,
    job: Job,
    ranking: Ranking,
    comparison: Comparison = NO_COMPARISON,
    references: ReferencePart = NO_REFERENCES,
) -> LeaderboardRow:
    """A candidate among the others."""
    scored, distance = ranking.score(row), comparison.distances.get(row.number)
    own: dict[str, Any] = {name: getattr(row, name) for name in _SAME} | former_figures(row.metrics)
    return LeaderboardRow(
        **own | {"metrics": references.with_shares(row.metrics)},
        rank=ranking.ranks.get(row.number),
        candidate=row.number,
        layers=_layers(row, job),
        score=scored.value if scored else None,
        score_stderr=scored.stderr if scored else None,
        group=distance.group if distance else None,
        loss_to_best_nats=distance.loss_nats if distance else None,
        loss_to_best_stderr_nats=distance.loss_stderr_nats if distance else None,
        score_to_best=distance.score if distance else None,
        score_to_best_stderr=distance.score_stderr if distance else None,
        is_pareto=row.number in ranking.front,
        error=_error(row.failure, row.rejection),
    )


def _layers(row: CandidateRow, job: Job) -> LayerChoice | None:
    """The teacher's layers that a candidate kept, or what is known of them before it is trained."""
    if job.spec.search.initialization == "random":
        return None
    known = (row.teacher_layers, row.layers)
    return next((layers for layers in known if layers is not None), job.spec.search.inheritance.layers)


def _error(failure: FailureReport | None, rejection: str | None) -> ErrorDetail | None:
    if failure is not None:
        return ErrorDetail(code=failure.code, message=failure.message)
    return ErrorDetail(code="rejected", message=rejection) if rejection else None


def _job(job: Job, rule: ScoreRule, smallest_leads: int) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "spec_hash": job.spec_hash,
        "space": job.spec.space.name,
        "latency": asdict(job.spec.latency),
        "device": str(job.teacher_latency.fingerprint) if job.teacher_latency else None,
        "score": {
            **asdict(rule),
            "formula_version": FORMULA_VERSION,
            "stderr_is_upper_bound": _takes_entropy_for_exact(job, rule),
        },
        "notes": [*notes_of(job), *_of_score(rule, smallest_leads)],
    }


def _of_score(rule: ScoreRule, smallest_leads: int) -> Iterator[str]:
    """A score that prefers size to everything does what it says, which may not be what was meant."""
    if smallest_leads:
        other = "--formula excess" if rule.formula == "w" else "a larger last number of --exponents"
        yield (
            f"the first by its score is the smallest of {smallest_leads:,} candidates, and others are nearer to the "
            f"teacher: what it saves weighs more than what it loses; {other} weighs the loss more"
        )


def _takes_entropy_for_exact(job: Job, rule: ScoreRule) -> bool:
    """Whether the errors of scores are too wide, because the teacher's entropy of each sequence was not stored."""
    quality = job.teacher_quality
    return rule.formula == "excess" and quality is not None and not quality.sequence_entropies_nats


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
