"""Reference rows of a board, and what shares of the teacher's quality a model has beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ose.core.architecture import Architecture
from ose.core.job import ErrorDetail, Job
from ose.core.measurement import Metric
from ose.core.metric_names import SHARE_KEPT, SHARE_OF_LEAD
from ose.core.reference import BAG_OF_WORDS, Reference, Targets, share
from ose.store.base import Store
from ose.tasks.registry import task_rules


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRow:
    """A model beside the candidates that is none: it has no rank. Its fields are the JSON names everywhere.

    Attributes:
        name: `half_depth`, `labels_alone`, `static_embedding` or `bag_of_words`.
        learns: What it was trained on.
        architecture: Of a transformer; null of a linear model.
        num_parameters: Of the whole model.
        num_steps: Trained; null of what is fitted in one go.
        latency_p50_ms: Median, from token ids on; of the bag of words from words on. null if it was not measured.
        latency_p90_ms: The 90th percentile of the same calls.
        latency_flagged: Whether the measurement was disturbed: do not believe it.
        loss_nats: Its distance from the teacher on the held-out items.
        loss_stderr_nats: Its standard error over items.
        metrics: As candidates have them.
        error: Why it could not be made.
    """

    name: str
    learns: Targets
    architecture: Architecture | None
    num_parameters: int | None
    num_steps: int | None
    latency_p50_ms: float | None
    latency_p90_ms: float | None
    latency_flagged: bool | None
    loss_nats: float | None
    loss_stderr_nats: float | None
    metrics: Mapping[str, Metric]
    error: ErrorDetail | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What a model's first metric is held against.

    Attributes:
        headline: The metric.
        teacher: The teacher's.
        floor: The bag of words'; None if there is none.
    """

    headline: str
    teacher: Metric
    floor: Metric | None = None

    def with_shares(self, metrics: Mapping[str, Metric], *, is_floor: bool = False) -> Mapping[str, Metric]:
        """Metrics, and with them the shares of the teacher's quality and of its lead that there are."""
        if self.headline not in metrics:
            return metrics
        own = metrics[self.headline]
        of_lead = None if self.floor is None or is_floor else share(own, self.teacher, self.floor)
        shares = {SHARE_KEPT: share(own, self.teacher), SHARE_OF_LEAD: of_lead}
        return {**metrics, **{name: metric for name, metric in shares.items() if metric is not None}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferencePart:
    """A board's part of its own.

    Attributes:
        rows: As they were made; None of a task that has no reference rows.
        yardstick: None likewise, or as long as the teacher has not been judged.
    """

    rows: tuple[ReferenceRow, ...] | None = None
    yardstick: Yardstick | None = None

    def with_shares(self, metrics: Mapping[str, Metric]) -> Mapping[str, Metric]:
        """A candidate's metrics with its shares."""
        return self.yardstick.with_shares(metrics) if self.yardstick else metrics


NO_REFERENCES = ReferencePart()


def read_references(store: Store, job: Job) -> ReferencePart:
    """A job's reference rows."""
    if not task_rules(job.teacher.task).references:
        return NO_REFERENCES
    references = store.references(job.id)
    yardstick = _yardstick(job, references)
    return ReferencePart(rows=tuple(_row(each, yardstick) for each in references), yardstick=yardstick)


def _yardstick(job: Job, references: Sequence[Reference]) -> Yardstick | None:
    metrics = job.teacher_quality.metrics if job.teacher_quality else {}
    if not metrics:
        return None
    headline = next(iter(metrics))
    floors = (each.metrics.get(headline) for each in references if each.name == BAG_OF_WORDS)
    return Yardstick(headline=headline, teacher=metrics[headline], floor=next(floors, None))


def _row(reference: Reference, yardstick: Yardstick | None) -> ReferenceRow:
    latency, metrics = reference.latency, reference.metrics
    if yardstick is not None:
        metrics = yardstick.with_shares(metrics, is_floor=reference.name == BAG_OF_WORDS)
    return ReferenceRow(
        name=reference.name,
        learns=reference.learns,
        architecture=reference.architecture,
        num_parameters=reference.num_parameters,
        num_steps=reference.num_steps,
        latency_p50_ms=latency.p50_ms if latency else None,
        latency_p90_ms=latency.p90_ms if latency else None,
        latency_flagged=latency.is_flagged if latency else None,
        loss_nats=reference.loss_nats,
        loss_stderr_nats=reference.loss_stderr_nats,
        metrics=metrics,
        error=reference.error,
    )
