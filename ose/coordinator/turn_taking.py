"""Shapes of a job and its teacher on the target device, where they take turns: as many at once as fit there."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from ose.coordinator.run_context import RunContext
from ose.coordinator.saved_models import saved_model
from ose.core.architecture import Architecture
from ose.core.failures import failure_report
from ose.core.job import FailureReport, Job
from ose.core.measurement import LatencyMeasurement
from ose.core.memory import latency_group_bytes
from ose.core.messages import LatencyRequest, SavedModel, TimedModel
from ose.errors import EvaluationError
from ose.families.counts import counts_of

_MOST_AT_ONCE = 50
"""Half a minute by default, after which what was found is stored."""

_FLOAT_BYTES = 4

Group = tuple[Architecture, ...]
Outcome = LatencyMeasurement | FailureReport


@dataclass(frozen=True, slots=True)
class Turns:
    """What a group has found out.

    Attributes:
        teacher: None where the probe died under the group.
        shapes: The latency of each beside the teacher, or why it has none.
    """

    teacher: LatencyMeasurement | None
    shapes: dict[Architecture, Outcome]


def in_turns(context: RunContext, architectures: Sequence[Architecture]) -> Iterator[Turns]:
    """Measure shapes beside the teacher, which is measured alone if there are none.

    A probe that dies is opened again. Which shape of a group is to blame is found by halving the group.

    Raises:
        EvaluationError: The teacher cannot be measured.
        JobInterruptedError: The job is no longer ours.
    """
    groups = deque(_groups(context.job, architectures))
    is_teacher_known, num_failures_alone = False, 0
    while groups:
        group = groups.popleft()
        try:
            yield _measured(context, group)
            is_teacher_known = True
        except EvaluationError as error:
            num_failures_alone += not group
            if not error.is_retryable or num_failures_alone > 1:
                raise
            if is_teacher_known and len(group) == 1:
                yield Turns(teacher=None, shapes={group[0]: failure_report(error)})
                continue
            groups.extendleft(_halves(group) if is_teacher_known else (group, ()) if group else ((),))


def _groups(job: Job, architectures: Sequence[Architecture]) -> Iterator[Group]:
    """In the order given, as few as possible; one without any shape if there are none."""
    counts, most = counts_of(job.teacher), latency_group_bytes(job.teacher)
    group: list[Architecture] = []
    taken = 0
    for architecture in architectures:
        needed = _FLOAT_BYTES * counts.parameters(architecture).total
        if group and (taken + needed > most or len(group) == _MOST_AT_ONCE):
            yield tuple(group)
            group, taken = [], 0
        group.append(architecture)
        taken += needed
    yield tuple(group)


def _halves(group: Group) -> tuple[Group, Group]:
    middle = len(group) // 2
    return group[middle:], group[:middle]


def _measured(context: RunContext, group: Group) -> Turns:
    context.check_lease()
    protocol = context.job.spec.latency
    teacher = TimedModel(teacher=context.job.teacher, architecture=context.job.teacher.architecture, is_teacher=True)
    with ExitStack() as stack:
        reference = stack.enter_context(saved_model(context, teacher))
        saved: dict[Architecture, Path | FailureReport] = {}
        for architecture in group:
            try:
                model = replace(teacher, architecture=architecture, is_teacher=False)
                saved[architecture] = stack.enter_context(saved_model(context, model))
            except EvaluationError as error:
                saved[architecture] = failure_report(error)
        context.backend.settle()
        folders = {each: folder for each, folder in saved.items() if isinstance(folder, Path)}
        request = LatencyRequest(
            reference=_model(context.job, reference),
            models=tuple(_model(context.job, folder) for folder in folders.values()),
            inputs=protocol.inputs,
            protocol=protocol,
        )
        probe = stack.enter_context(context.backend.latency_probe(protocol))
        reply = probe.measure(request, context.check_lease)
    found = dict(zip(folders, map(_outcome, reply.models), strict=True))
    failed = {each: failure for each, failure in saved.items() if isinstance(failure, FailureReport)}
    return Turns(teacher=_of_both_lengths(reply.reference), shapes={**failed, **found})


def _model(job: Job, folder: Path) -> SavedModel:
    return SavedModel(folder=str(folder), vocab_size=job.teacher.embedding.vocab_size)


def _outcome(found: Sequence[LatencyMeasurement] | FailureReport) -> Outcome:
    return found if isinstance(found, FailureReport) else _of_both_lengths(found)


def _of_both_lengths(found: Sequence[LatencyMeasurement]) -> LatencyMeasurement:
    usual, *longer = found
    if not longer:
        return usual
    return replace(usual, long_p50_ms=longer[0].p50_ms, is_flagged=usual.is_flagged or longer[0].is_flagged)
