"""After the candidates: the task's reference rows, each made once a job. They are never ranked or counted."""

from __future__ import annotations

from dataclasses import replace

from ose.coordinator.candidate_stage import data_spans, evaluation_request
from ose.coordinator.data_stage import run_requests
from ose.coordinator.latency_stage import latency_of
from ose.coordinator.run_context import RunContext, new_id
from ose.core.failures import StageFailedError
from ose.core.job import Candidate, CandidateStatus, ErrorDetail, Job
from ose.core.measurement import Evaluation, LatencyMeasurement
from ose.core.messages import EvaluationRequest, ReferenceRequest
from ose.core.reference import HALF_DEPTH, LABELS_ALONE, Reference, Targets
from ose.errors import EvaluationError, WorkerLostError
from ose.families.counts import counts_of
from ose.tasks.registry import task_rules


def make_references(context: RunContext) -> None:
    """Make what the store does not have yet. One that cannot be made says why, and leaves the job as it is.

    They go one after the other, so that nothing of ours runs beside one that is timed.

    Raises:
        JobInterruptedError, ConflictError: The job is no longer ours.
        WorkerLostError: No worker is left.
    """
    names, leader = _missing(context), _leader(context)
    if not names or leader is None:
        return
    context.progress.stage("Making reference rows", len(names))
    for name in names:
        reference = _made(context, name, leader)
        context.store.add_reference(context.job.id, context.owner, reference, context.now())


def reference_names(job: Job) -> tuple[str, ...]:
    """The reference rows that a job has when all are made."""
    if job.spec.references == "off":
        return ()
    names = task_rules(job.teacher.task).references
    too_few_layers, has_labels = job.teacher.architecture.num_hidden_layers < 2, learns(job) == "labels"
    left_out = {HALF_DEPTH: too_few_layers, LABELS_ALONE: not has_labels}
    return tuple(name for name in names if not left_out.get(name, False))


def learns(job: Job) -> Targets:
    """What linear models learn: labels where there are any."""
    return "teacher" if job.spec.corpus.columns.label is None else "labels"


def _missing(context: RunContext) -> list[str]:
    names = reference_names(context.job)
    made = {each.name for each in context.store.references(context.job.id)} if names else set()
    return [name for name in names if name not in made]


def _leader(context: RunContext) -> Candidate | None:
    """The best candidate by the job's own rule; None if none has passed."""
    page = context.store.candidate_page(context.job.id, order="score", limit=1)
    first = next(iter(page.rows), None)
    if first is None or first.status is not CandidateStatus.SUCCEEDED:
        return None
    return context.store.candidate(context.job.id, first.number)


def _made(context: RunContext, name: str, leader: Candidate) -> Reference:
    makers = {HALF_DEPTH: _half_depth, LABELS_ALONE: _labels_alone}
    targets: Targets = "teacher" if name == HALF_DEPTH else learns(context.job)
    try:
        if name in makers:
            return makers[name](context, leader)
        return _linear(context, name, leader, targets)
    except StageFailedError as error:
        failure = error.failure
        context.progress.say(f"{name}: {failure.message}")
        return Reference(name=name, learns=targets, error=ErrorDetail(code=failure.code, message=failure.message))


def _half_depth(context: RunContext, leader: Candidate) -> Reference:
    """The teacher's shape at half its depth with the layers that DistilBERT keeps, started as candidates are."""
    teacher = context.job.teacher.architecture
    request = _like(context, leader)
    shape = replace(teacher, num_hidden_layers=teacher.num_hidden_layers // 2)
    inheritance = replace(request.inheritance, layers="distilbert")
    request = replace(request, architecture=shape, inheritance=inheritance)
    return _trained(context, HALF_DEPTH, request, None)


def _labels_alone(context: RunContext, leader: Candidate) -> Reference:
    """The best candidate again, start and all, but for what it learns."""
    request = replace(_like(context, leader), learns="labels")
    return _trained(context, LABELS_ALONE, request, leader.latency)


def _like(context: RunContext, candidate: Candidate) -> EvaluationRequest:
    return evaluation_request(context, new_id(), candidate, data_spans(context), None)


def _trained(
    context: RunContext, name: str, request: EvaluationRequest, latency: LatencyMeasurement | None
) -> Reference:
    [found] = run_requests(context, [request])
    assert isinstance(found, Evaluation)
    return Reference(
        name=name,
        learns=request.learns,
        architecture=request.architecture,
        num_parameters=counts_of(context.job.teacher).parameters(request.architecture).total,
        num_steps=request.num_steps,
        latency=latency or _latency(context, request),
        loss_nats=found.loss_nats,
        loss_stderr_nats=found.loss_stderr_nats,
        metrics=found.metrics,
    )


def _latency(context: RunContext, request: EvaluationRequest) -> LatencyMeasurement | None:
    """None if it cannot be measured: the rest of the row is worth having."""
    try:
        return latency_of(context, request.architecture)
    except WorkerLostError:
        return None
    except EvaluationError as error:
        context.progress.say(f"{request.architecture}: {error}")
        return None


def _linear(context: RunContext, name: str, leader: Candidate, targets: Targets) -> Reference:
    job = context.job
    first, *later = data_spans(context)
    request = ReferenceRequest(
        id=new_id(),
        name=name,
        folder=first.folder,
        teacher=job.teacher,
        later_data=tuple(later),
        num_steps=leader.num_steps,
        batch_size=leader.hyperparameters.batch_size,
        learns=targets,
        is_pair=job.spec.corpus.columns.text_pair is not None,
        protocol=job.spec.latency,
    )
    [found] = run_requests(context, [request])
    assert isinstance(found, Reference)
    return found
