"""What has to be said above a leaderboard: that its latencies are not to be believed, or that nothing is that fast."""

from __future__ import annotations

from collections.abc import Iterator

from ose.core.job import Job
from ose.store.base import Store
from ose.store.pages import LatencySummary


def read_headlines(store: Store, job: Job, max_latency_ms: float | None) -> tuple[str, ...]:
    """The lines.

    Args:
        store: The database.
        job: The leaderboard's.
        max_latency_ms: The limit that was asked for, if no candidate is within what was; None otherwise.
    """
    summary = store.latency_summary(job.id)
    return (*_noise(job, summary), *_too_slow(max_latency_ms, summary))


def _noise(job: Job, summary: LatencySummary) -> Iterator[str]:
    is_teacher_noisy = job.teacher_latency is not None and job.teacher_latency.is_flagged
    if not (summary.num_flagged or is_teacher_noisy):
        return
    teacher = " and the teacher's" if is_teacher_noisy else ""
    yield (
        f"the machine was busy: {summary.num_flagged} of {summary.num_measured} latencies{teacher} are too noisy to "
        f"believe; `ose job remeasure {job.id}` measures them again"
    )


def _too_slow(max_latency_ms: float | None, summary: LatencySummary) -> Iterator[str]:
    if max_latency_ms is None or summary.fastest is None:
        return
    number, latency_ms = summary.fastest
    limit = f"{max_latency_ms:g} ms" if latency_ms > max_latency_ms else "all limits"
    yield f"no candidate is within {limit}; the fastest, number {number}, takes {latency_ms:.2f} ms"
