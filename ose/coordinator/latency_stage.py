"""Latencies, measured before training: on the idle device, once for each shape beside its teacher, shared by jobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ose.coordinator.cache_keys import latency_keys
from ose.coordinator.run_context import RunContext
from ose.coordinator.saved_models import remove_saved_models
from ose.coordinator.trials import open_trial, record_failure
from ose.coordinator.turn_taking import in_turns
from ose.core.architecture import Architecture
from ose.core.job import Candidate, FailureReport
from ose.core.measurement import DeviceFingerprint, LatencyMeasurement
from ose.core.messages import TimedModel
from ose.errors import EvaluationError
from ose.store.base import StoredLatency

BUSY = (
    "the machine is busy: {num_flagged} of {num_measured} latencies are too noisy to believe, and reject nothing; "
    "`ose job remeasure` measures them again"
)

WORKER = "latency"
"""What the trials of candidates that could not be measured say of where they ran."""


def measure_latencies(context: RunContext, candidates: Iterable[Candidate]) -> None:
    """Measure the teacher and every shape that has no latency yet. A candidate that cannot be measured fails.

    Raises:
        EvaluationError: The teacher cannot be measured.
        JobInterruptedError, ConflictError: The job is no longer ours.
    """
    shapes: dict[Architecture, list[Candidate]] = {}
    for candidate in candidates:
        if candidate.latency is None:
            shapes.setdefault(candidate.architecture, []).append(candidate)
    if shapes or context.job.teacher_latency is None:
        context.progress.stage("Measuring latencies", len(shapes) + (context.job.teacher_latency is None))
        remove_saved_models(context)
        _Wave(context, shapes).measure()


def expect_latencies(context: RunContext, architectures: Iterable[Architecture]) -> None:
    """Have the probe start beside the workers, unless all these shapes and the teacher have been measured already.

    Raises:
        EvaluationError: The device is not there.
    """
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        known = KnownLatencies(context, probe.fingerprint())
        for architecture in (None, *architectures):
            context.check_lease()
            if known.of(architecture) is None:
                return probe.start()


def latency_of(context: RunContext, architecture: Architecture) -> LatencyMeasurement:
    """The latency of a shape that no candidate has.

    Raises:
        EvaluationError: It cannot be measured, or its teacher not.
        JobInterruptedError: The job is no longer ours.
    """
    assert context.job.teacher_latency is not None
    known = known_latencies(context)
    stored = known.of(architecture)
    if stored is not None:
        return stored.measurement.beside(context.job.teacher_latency)
    [*_, last] = in_turns(context, [architecture])
    found = last.shapes[architecture]
    if isinstance(found, FailureReport):
        raise EvaluationError(found.message)
    return known.add(architecture, found.beside(context.job.teacher_latency)).measurement


class KnownLatencies:
    """What was measured before, beside a teacher of the same shape, on one device.

    Args:
        context: The job whose protocol counts.
        device: Where.
    """

    def __init__(self, context: RunContext, device: DeviceFingerprint) -> None:
        self._context, self._device = context, device

    def of(self, architecture: Architecture | None) -> StoredLatency | None:
        """The newest measurement of a shape, or of the teacher, unless it is flagged."""
        known = self._context.store.latency(*self._keys(architecture))
        return None if known is None or known.measurement.is_flagged else known

    def add(self, architecture: Architecture | None, measurement: LatencyMeasurement) -> StoredLatency:
        """Store a measurement of a shape, or of the teacher."""
        return self._context.store.add_latency(*self._keys(architecture), measurement, self._context.now())

    def on_scale(self, architecture: Architecture, stored: StoredLatency, teacher: LatencyMeasurement) -> StoredLatency:
        """A stored measurement with the time that the teacher has in this job."""
        scaled = stored.measurement.beside(teacher)
        return stored if scaled == stored.measurement else self.add(architecture, scaled)

    def _keys(self, architecture: Architecture | None) -> tuple[str, str, str]:
        job = self._context.job
        model = TimedModel(
            teacher=job.teacher,
            architecture=architecture or job.teacher.architecture,
            is_teacher=architecture is None,
        )
        return latency_keys(model, job.spec.latency, self._device)


def known_latencies(context: RunContext) -> KnownLatencies:
    """Those of the device that the job measures on.

    Raises:
        EvaluationError: The device is not there.
    """
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        return KnownLatencies(context, probe.fingerprint())


def better(one: LatencyMeasurement, other: LatencyMeasurement) -> LatencyMeasurement:
    """Which of two measurements of one teacher to believe: times err to one side, so of two good ones the shorter."""
    if one.is_flagged != other.is_flagged:
        return other if one.is_flagged else one
    return min(one, other, key=lambda each: each.p50_ms)


class _Wave:
    """Shapes that are measured at once, with the candidates that have them."""

    def __init__(self, context: RunContext, shapes: dict[Architecture, list[Candidate]]) -> None:
        self._context, self._shapes = context, shapes
        self._store = known_latencies(context)
        self._teacher = context.job.teacher_latency
        self._num_flagged = 0

    def measure(self) -> None:
        """Attach a latency to every candidate, or record why it has none; the teacher gets one first."""
        known = {shape: stored for shape in self._shapes if (stored := self._store.of(shape))}
        missing = [shape for shape in self._shapes if shape not in known]
        if self._teacher is None and not missing:
            self._set_teacher(self._store.of(None))
        while missing or self._teacher is None:
            missing = self._measured(missing)
        assert self._teacher is not None
        for shape, stored in known.items():
            self._attach(shape, self._store.on_scale(shape, stored, self._teacher))
        if self._num_flagged:
            self._context.progress.say(BUSY.format(num_flagged=self._num_flagged, num_measured=len(self._shapes)))

    def _measured(self, shapes: Sequence[Architecture]) -> list[Architecture]:
        """Measure shapes; return those that are to be tried again."""
        again: list[Architecture] = []
        for turns in in_turns(self._context, shapes):
            if self._teacher is None and turns.teacher is not None:
                self._choose_teacher(turns.teacher)
            for shape, outcome in turns.shapes.items():
                if isinstance(outcome, FailureReport):
                    again += self._failed(shape, outcome)
                else:
                    assert self._teacher is not None  # it took the same turns
                    self._attach(shape, self._store.add(shape, outcome.beside(self._teacher)))
        return again

    def _choose_teacher(self, found: LatencyMeasurement) -> None:
        """Take what was found now, or what another job has found before."""
        before = self._store.of(None)
        now = self._store.add(None, found)
        is_as_before = before is not None and better(before.measurement, found) is before.measurement
        self._set_teacher(before if is_as_before else now)

    def _set_teacher(self, stored: StoredLatency | None) -> None:
        if stored is None:
            return
        self._teacher = stored.measurement
        self._context.store.record_teacher(self._context.job.id, self._context.owner, latency_id=stored.id)
        self._tell("the teacher", stored.measurement)

    def _attach(self, shape: Architecture, stored: StoredLatency) -> None:
        candidates = self._shapes[shape]
        ids = [candidate.id for candidate in candidates]
        self._context.store.attach_latency(self._context.job.id, self._context.owner, ids, stored.id)
        self._num_flagged += stored.measurement.is_flagged
        self._tell(str(shape), stored.measurement)

    def _tell(self, name: str, measurement: LatencyMeasurement) -> None:
        flag = " (noisy)" if measurement.is_flagged else ""
        self._context.progress.advance(note=f"{name}: {measurement.p50_ms:.2f} ms{flag}")

    def _failed(self, shape: Architecture, failure: FailureReport) -> list[Architecture]:
        """Give each candidate a failed trial; return the shape if it is to be tried again."""
        context = self._context
        again = [
            each for each in self._shapes[shape] if record_failure(context, open_trial(context, each, WORKER), failure)
        ]
        self._shapes[shape] = again
        if again:
            return [shape]
        context.progress.advance(note=f"{shape}: {failure.message}")
        return []
