"""Latencies, measured before training: on the idle device, once for each shape, cached between jobs."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from ose.coordinator.cache_keys import latency_keys
from ose.coordinator.run_context import RunContext
from ose.coordinator.saved_models import remove_saved_models, saved_model
from ose.coordinator.trials import open_trial, record_failure
from ose.core.architecture import Architecture
from ose.core.failures import failure_report
from ose.core.job import Candidate, Job
from ose.core.measurement import LatencyMeasurement
from ose.core.messages import LatencyRequest, TimedModel
from ose.core.pace import BestPace
from ose.errors import EvaluationError, WorkerLostError
from ose.latency.base import LatencyProbe
from ose.store.base import StoredLatency

WORKER = "latency"
"""What the trials of candidates that could not be measured say of where they ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """What is measured once: the teacher's own model, or the architecture of some candidates.

    Attributes:
        is_retry: It is the teacher's, and the probe has died under it before.
        was_slow: It has a latency, of a machine that has turned out to be faster at other times.
    """

    architecture: Architecture
    candidates: tuple[Candidate, ...] = ()
    is_teacher: bool = False
    is_retry: bool = False
    was_slow: bool = False


class _Measured:
    """The shapes of one wave with what was found, and how fast the machine can be as far as that tells."""

    def __init__(self, job: Job) -> None:
        self.best_pace = BestPace()
        self.best_pace.learn(job.teacher_latency)
        self._found: list[tuple[_Shape, StoredLatency]] = []

    def add(self, shape: _Shape, stored: StoredLatency) -> None:
        self.best_pace.learn(stored.measurement)
        self._found.append((shape, stored))

    def slow_ones(self) -> list[_Shape]:
        """Those to be measured again; each only once."""
        found, self._found = self._found, []
        return [
            replace(shape, was_slow=True)
            for shape, stored in found
            if not shape.was_slow and not stored.measurement.is_flagged and self.best_pace.was_slow(stored.measurement)
        ]


def measure_latencies(context: RunContext, candidates: Iterable[Candidate]) -> None:
    """Measure the teacher and every shape that has no latency yet. A candidate that cannot be measured fails.

    What was measured before the machine showed how fast it can be is measured once more at the end.

    Raises:
        EvaluationError: The teacher cannot be measured.
        JobInterruptedError, ConflictError: The job is no longer ours.
    """
    shapes = deque(_unmeasured(context.job, candidates))
    if shapes:
        context.progress.stage("Measuring latencies", len(shapes))
        remove_saved_models(context)
    measured = _Measured(context.job)
    while shapes:
        with context.backend.latency_probe(context.job.spec.latency) as probe:
            _measure_shapes(context, probe, shapes, measured)
        if not shapes:
            shapes.extend(measured.slow_ones())


def expect_latencies(context: RunContext, architectures: Iterable[Architecture]) -> None:
    """Have the probe start beside the workers, unless all these shapes and the teacher have been measured already.

    Raises:
        EvaluationError: The device is not there.
    """
    shapes = [_Shape(architecture=context.job.teacher.architecture, is_teacher=True)]
    shapes += [_Shape(architecture=architecture) for architecture in architectures]
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        for shape in shapes:
            context.check_lease()
            if _known(context, probe, _model(context.job, shape)) is None:
                return probe.start()


def latency_of(context: RunContext, architecture: Architecture) -> LatencyMeasurement:
    """The latency of a shape that no candidate has.

    Raises:
        EvaluationError: It cannot be measured.
        JobInterruptedError: The job is no longer ours.
    """
    best_pace = BestPace()
    best_pace.learn(context.job.teacher_latency)
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        return _latency_of(context, probe, _Shape(architecture=architecture), best_pace).measurement


def _unmeasured(job: Job, candidates: Iterable[Candidate]) -> list[_Shape]:
    groups: dict[Architecture, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.latency is None:
            groups.setdefault(candidate.architecture, []).append(candidate)
    shapes = [_Shape(architecture=architecture, candidates=tuple(group)) for architecture, group in groups.items()]
    if job.teacher_latency is None:
        shapes.insert(0, _Shape(architecture=job.teacher.architecture, is_teacher=True))
    return shapes


def _measure_shapes(context: RunContext, probe: LatencyProbe, shapes: deque[_Shape], measured: _Measured) -> None:
    """Measure shapes until none is left, or the probe died under one."""
    while shapes:
        context.check_lease()
        shape = shapes.popleft()
        try:
            stored = _latency_of(context, probe, shape, measured.best_pace)
        except EvaluationError as error:
            shapes.extend(_record_failure(context, shape, error))
            if isinstance(error, WorkerLostError):
                return
        else:
            measured.add(shape, stored)
            _record_latency(context, shape, stored)


def _latency_of(context: RunContext, probe: LatencyProbe, shape: _Shape, best_pace: BestPace) -> StoredLatency:
    """A stored measurement of this shape, device and protocol, or a new one if there is none to trust."""
    model = _model(context.job, shape)
    known = None if shape.was_slow else _known(context, probe, model)
    if known is not None:
        return known
    with saved_model(context, model) as folder:
        context.backend.settle()
        found = probe.measure(_request(context.job, folder, best_pace))
    return context.store.add_latency(*_keys(context, probe, model), found, context.now())


def _known(context: RunContext, probe: LatencyProbe, model: TimedModel) -> StoredLatency | None:
    """What was measured before and can be trusted."""
    known = context.store.latency(*_keys(context, probe, model))
    return None if known is None or known.measurement.is_flagged else known


def _keys(context: RunContext, probe: LatencyProbe, model: TimedModel) -> tuple[str, str, str]:
    return latency_keys(model, context.job.spec.latency, probe.fingerprint())


def _model(job: Job, shape: _Shape) -> TimedModel:
    return TimedModel(teacher=job.teacher, architecture=shape.architecture, is_teacher=shape.is_teacher)


def _request(job: Job, folder: Path, best_pace: BestPace) -> LatencyRequest:
    return LatencyRequest(
        folder=str(folder),
        vocab_size=job.teacher.embedding.vocab_size,
        protocol=job.spec.latency,
        best_pace_ms=best_pace.best_ms,
    )


def _record_latency(context: RunContext, shape: _Shape, stored: StoredLatency) -> None:
    if shape.is_teacher:
        context.store.record_teacher(context.job.id, context.owner, latency_id=stored.id)
    else:
        ids = [candidate.id for candidate in shape.candidates]
        context.store.attach_latency(context.job.id, context.owner, ids, stored.id)
    flag = " (noisy)" if stored.measurement.is_flagged else ""
    if shape.was_slow:
        return context.progress.say(
            f"{shape.architecture}, measured again now that the machine is faster: "
            f"{stored.measurement.p50_ms:.2f} ms{flag}"
        )
    context.progress.advance(note=f"{shape.architecture}: {stored.measurement.p50_ms:.2f} ms{flag}")


def _record_failure(context: RunContext, shape: _Shape, error: EvaluationError) -> list[_Shape]:
    """Give each candidate a failed trial; return what is to be measured again."""
    if shape.was_slow:  # what it has is good enough to go on with
        return []
    if shape.is_teacher:
        if shape.is_retry or not error.is_retryable:
            raise error
        return [replace(shape, is_retry=True)]
    failure = failure_report(error)
    again = [each for each in shape.candidates if record_failure(context, open_trial(context, each, WORKER), failure)]
    if again:
        return [replace(shape, candidates=tuple(again))]
    context.progress.advance(note=f"{shape.architecture}: {error}")
    return []
