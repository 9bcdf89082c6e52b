"""Latencies, measured before training: on the idle device, once for each shape, cached between jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from ose.core.architecture import Architecture
from ose.core.job import Candidate
from ose.core.task import LatencyTask
from ose.errors import EvaluationError, WorkerLostError
from ose.search.attempts import open_trial, record_failure
from ose.search.backend import LatencyProbe
from ose.search.failures import failure_report
from ose.search.keys import latency_keys
from ose.search.run_context import RunContext
from ose.store.base import StoredLatency

WORKER = "latency"
"""What the trials of candidates that could not be measured say of where they ran."""


def measure_teacher(context: RunContext) -> None:
    """Measure the teacher and record it; a second time if the probe died.

    Raises:
        EvaluationError: It cannot be measured.
    """
    context.progress.stage("Measuring the teacher's latency", 1)
    try:
        stored = _measure_teacher(context)
    except WorkerLostError:
        stored = _measure_teacher(context)
    context.store.record_teacher(context.job.id, latency_id=stored.id)
    context.progress.advance()


def measure_candidates(context: RunContext, candidates: Iterable[Candidate]) -> None:
    """Measure every shape that has no latency yet. Candidates whose shape cannot be measured fail.

    Raises:
        JobInterruptedError: The job is no longer ours.
    """
    groups = deque(_by_architecture(candidates))
    if groups:
        context.progress.stage("Measuring latencies", len(groups))
    while groups:
        with context.backend.latency_probe(context.job.spec.latency) as probe:
            _measure_groups(context, probe, groups)


def _measure_teacher(context: RunContext) -> StoredLatency:
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        return _latency_of(context, probe, context.job.teacher.architecture, is_teacher=True)


def _by_architecture(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    groups: dict[Architecture, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.latency is None:
            groups.setdefault(candidate.architecture, []).append(candidate)
    return list(groups.values())


def _measure_groups(context: RunContext, probe: LatencyProbe, groups: deque[list[Candidate]]) -> None:
    """Measure groups until none is left, or the probe died under one."""
    while groups:
        context.check_lease()
        group = groups.popleft()
        architecture = group[0].architecture
        try:
            stored = _latency_of(context, probe, architecture, is_teacher=False)
        except EvaluationError as error:
            if to_retry := _record_failure(context, group, error):
                groups.append(to_retry)
            else:
                context.progress.advance(note=f"{architecture}: {error}")
            if isinstance(error, WorkerLostError):
                return
        else:
            context.store.attach_latency([candidate.id for candidate in group], stored.id)
            context.progress.advance(note=_told(architecture, stored))


def _record_failure(context: RunContext, group: Sequence[Candidate], error: EvaluationError) -> list[Candidate]:
    """Give each candidate a failed trial; return those that are to be tried again."""
    failure = failure_report(error)
    return [each for each in group if record_failure(context, open_trial(context, each, WORKER), failure)]


def _latency_of(
    context: RunContext, probe: LatencyProbe, architecture: Architecture, *, is_teacher: bool
) -> StoredLatency:
    """A stored measurement of this shape, device and protocol, or a new one if there is none to trust."""
    task = LatencyTask(
        teacher=context.job.teacher,
        architecture=architecture,
        protocol=context.job.spec.latency,
        is_teacher=is_teacher,
    )
    keys = latency_keys(task, probe.fingerprint())
    known = context.store.latency(*keys)
    if known is not None and not known.measurement.is_flagged:
        return known
    return context.store.add_latency(*keys, probe.measure(task), context.now())


def _told(architecture: Architecture, stored: StoredLatency) -> str:
    flag = " (noisy)" if stored.measurement.is_flagged else ""
    return f"{architecture}: {stored.measurement.p50_ms:.2f} ms{flag}"
