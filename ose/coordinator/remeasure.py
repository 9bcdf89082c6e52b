"""Latencies that are not to be believed, measured again, with all that follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ose.coordinator.latency_stage import BUSY, KnownLatencies, better, known_latencies
from ose.coordinator.run_context import RunContext
from ose.coordinator.turn_taking import in_turns
from ose.core.architecture import Architecture
from ose.core.job import Candidate, FailureReport, Job
from ose.core.measurement import LatencyMeasurement
from ose.core.objectives import measures, teacher_measures
from ose.core.score import Score, score
from ose.errors import ConflictError
from ose.store.new_rows import NewLatency


def doubtful_shapes(job: Job, candidates: Sequence[Candidate]) -> list[Architecture] | None:
    """Shapes whose latencies are not to be believed; None if neither these nor the teacher's need be measured again.

    Where the teacher was measured before models took turns, all are to be: the two kinds are never mixed in a job.
    """
    teacher = job.teacher_latency
    if teacher is None:
        return None
    measured = [each for each in candidates if each.latency is not None]
    is_former = teacher.ratio is None
    shapes = list(dict.fromkeys(each.architecture for each in measured if is_former or _is_flagged(each)))
    return shapes if shapes or is_former or teacher.is_flagged else None


def measure_again(context: RunContext) -> None:
    """Measure what is not to be believed of a job, and keep what is better than what there was.

    Raises:
        EvaluationError: The teacher cannot be measured.
        ConflictError: The job was measured on another device, or somebody runs it meanwhile.
        JobInterruptedError: The measurement was broken off.
    """
    job = context.job
    candidates = context.store.candidates(job.id)
    shapes = doubtful_shapes(job, candidates)
    if shapes is None or job.teacher_latency is None:
        return
    _require_same_device(context, job.teacher_latency)
    context.progress.stage("Measuring latencies again", len(shapes) + 1)
    known, found = known_latencies(context), _Found(job.teacher_latency)
    for turns in in_turns(context, shapes):
        found.learn(turns.teacher, turns.shapes)
        context.progress.advance(len(turns.shapes))
    changes = _changes(known, job, candidates, found)
    is_new_teacher = found.teacher != job.teacher_latency
    teacher_id = known.add(None, found.teacher).id if is_new_teacher else None
    context.store.replace_latencies(job.id, context.owner, changes, teacher_id)
    _tell(context)


class _Found:
    """What taking turns again has found out.

    Args:
        teacher: The teacher's latency as it stands.
    """

    def __init__(self, teacher: LatencyMeasurement) -> None:
        self.teacher, self._is_teacher_open = teacher, teacher.is_flagged or teacher.ratio is None
        self._shapes: dict[Architecture, LatencyMeasurement] = {}

    def learn(
        self, teacher: LatencyMeasurement | None, shapes: dict[Architecture, LatencyMeasurement | FailureReport]
    ) -> None:
        """Take in what a group has told. Its first figure of the teacher stays: all others are on its scale."""
        if teacher is not None and self._is_teacher_open:
            self.teacher = teacher if self.teacher.ratio is None else better(self.teacher, teacher)
            self._is_teacher_open = False
        self._shapes |= {shape: each for shape, each in shapes.items() if isinstance(each, LatencyMeasurement)}

    def latency(self, candidate: Candidate) -> LatencyMeasurement:
        """Of a candidate that has one: what is more certain, on the teacher's scale."""
        before, now = candidate.latency, self._shapes.get(candidate.architecture)
        assert before is not None
        is_better = now is not None and (before.ratio is None or not now.is_flagged or _error(now) < _error(before))
        return (now if now is not None and is_better else before).beside(self.teacher)


def _changes(known: KnownLatencies, job: Job, candidates: Sequence[Candidate], found: _Found) -> list[NewLatency]:
    job = replace(job, teacher_latency=found.teacher)
    stored: dict[Architecture, int] = {}
    changes = []
    for candidate in candidates:
        if candidate.latency is None:
            continue
        latency = found.latency(candidate)
        if latency != candidate.latency and candidate.architecture not in stored:
            stored[candidate.architecture] = known.add(candidate.architecture, latency).id
        is_scored = candidate.evaluation is not None and candidate.score is not None
        changes.append(
            NewLatency(
                candidate_id=candidate.id,
                latency_id=stored.get(candidate.architecture),
                score=_score(job, candidate, latency) if is_scored else None,
            )
        )
    return changes


def _score(job: Job, candidate: Candidate, latency: LatencyMeasurement) -> Score:
    measured = measures(candidate.num_parameters, latency, candidate.evaluation)
    return score(measured, teacher_measures(job), job.spec.score)


def _tell(context: RunContext) -> None:
    candidates = [each for each in context.store.candidates(context.job.id) if each.latency is not None]
    num_flagged = sum(map(_is_flagged, candidates))
    if num_flagged:
        context.progress.say(BUSY.format(num_flagged=num_flagged, num_measured=len(candidates)))


def _require_same_device(context: RunContext, teacher: LatencyMeasurement) -> None:
    with context.backend.latency_probe(context.job.spec.latency) as probe:
        here = probe.fingerprint()
    if here != teacher.fingerprint:
        raise ConflictError(
            f"job {context.job.id} was measured on {teacher.fingerprint}, and figures of two devices do not compare; "
            f"this is {here}"
        )


def _is_flagged(candidate: Candidate) -> bool:
    return candidate.latency is not None and candidate.latency.is_flagged


def _error(latency: LatencyMeasurement) -> float:
    return latency.p50_stderr_ms / latency.p50_ms
