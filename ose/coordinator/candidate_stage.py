"""The last stage: candidates are listed, held against the limits, trained and scored."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from ose.coordinator.cache_keys import needs_calibration, search_data_parts
from ose.coordinator.checkpoints import Checkpoints
from ose.coordinator.latency_stage import measure_latencies
from ose.coordinator.run_context import RunContext
from ose.coordinator.trials import open_trial, record_failure, record_success
from ose.core.cost import remaining_s
from ose.core.job import Candidate, Job, Trial, inheritance_of
from ose.core.measurement import Evaluation
from ose.core.messages import CheckpointFiles, DataSpan, EvaluationRequest, RequestFailed, RequestSucceeded
from ose.core.objectives import judged, measures, scale_of, teacher_measures, with_divergence_stderr
from ose.core.score import score
from ose.families.counts import counts_of
from ose.store.new_rows import NewCandidate
from ose.strategies.base import Outcome, Proposal, Strategy
from ose.tasks.registry import task_rules

_T = TypeVar("_T")

_SAMPLE = 2
"""Candidates of each worker after which it shows how long the others will take."""

_SLICE = 500
"""Candidates that are written or read at once, between two looks at the lease."""

_PREFETCH = 2
"""Tasks in flight for each worker: the next one waits there already when the last one ends."""


def run_wave(context: RunContext, strategy: Strategy, proposals: Sequence[Proposal], checkpoints: Checkpoints) -> None:
    """See every proposal to its end, and tell the strategy what became of it.

    Raises:
        JobInterruptedError, ConflictError: The job is no longer ours.
        EvaluationError: The teacher's latency cannot be measured.
    """
    numbers = _recorded(context, proposals)
    _admit(context, numbers)
    context = context.refreshed()  # the teacher has been measured
    context.progress.stage("Training candidates", len(numbers))
    checkpoints.begin(proposals)
    training = _Training(context, strategy, checkpoints)
    for candidate in _candidates(context, numbers):
        if candidate.status.is_terminal:
            context.progress.advance()
            training.tell(candidate)
    training.run(_open(context, numbers))


class _Training:
    """Keeps the workers busy until every candidate has ended."""

    def __init__(self, context: RunContext, strategy: Strategy, checkpoints: Checkpoints) -> None:
        self._context = context
        self._strategy = strategy
        self._checkpoints = checkpoints
        self._data = data_spans(context)
        self._waiting: deque[Candidate] = deque()
        self._running: dict[str, tuple[Trial, Candidate]] = {}
        self._num_ended = 0

    def tell(self, ended: Candidate) -> None:
        outcome = outcome_of(self._context.job, ended)
        self._checkpoints.ended(ended, outcome)
        self._strategy.tell(ended.number, outcome)

    def run(self, candidates: Sequence[Candidate]) -> None:
        self._waiting += candidates
        while self._waiting or self._running:
            self._dispatch()
            event = self._context.next_event()
            trial, candidate = self._running.pop(event.request_id)
            if _record(self._context, event, trial, candidate):
                self._ended(candidate.number)
            else:
                self._waiting.append(candidate)

    def _dispatch(self) -> None:
        backend = self._context.backend
        while self._waiting and len(self._running) < _PREFETCH * backend.capacity:
            candidate = self._waiting.popleft()
            trial = open_trial(self._context, candidate, backend.name)
            self._running[trial.id] = trial, candidate
            files = self._checkpoints.files(self._context.job, candidate)
            backend.submit(evaluation_request(self._context, trial.id, candidate, self._data, files))

    def _ended(self, number: int) -> None:
        ended = self._context.store.candidate(self._context.job.id, number)
        self._context.progress.advance(note=_told(ended))
        self.tell(ended)
        self._num_ended += 1
        if self._num_ended == _SAMPLE * self._context.backend.capacity:
            self._say_how_long()

    def _say_how_long(self) -> None:
        left = [*self._waiting, *(candidate for _, candidate in self._running.values())]
        candidates = self._context.store.candidates(self._context.job.id)
        teacher = self._context.job.teacher
        counts = counts_of(teacher, task_rules(teacher.task).num_positions)
        seconds = remaining_s(self._context.job, counts, candidates, left)
        if seconds is not None and len(left) > self._num_ended:
            self._context.progress.say(f"about {seconds:.0f} s left, by the operations of {len(left)} candidates")


def _recorded(context: RunContext, proposals: Sequence[Proposal]) -> list[int]:
    """Make candidates of proposals, unless they are there already; their numbers, in order."""
    for some in _slices(proposals):
        context.check_lease()
        new = [_new_candidate(context.job, proposal) for proposal in some]
        context.store.add_candidates(context.job.id, context.owner, new)
    return [proposal.number for proposal in proposals]


def _slices(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[first : first + _SLICE] for first in range(0, len(items), _SLICE))


def _new_candidate(job: Job, proposal: Proposal) -> NewCandidate:
    counts = counts_of(job.teacher)
    count = counts.parameters(proposal.architecture)
    return NewCandidate(
        number=proposal.number,
        architecture=proposal.architecture,
        hyperparameters=proposal.hyperparameters,
        num_steps=proposal.num_steps,
        num_parameters=count.total,
        num_encoder_parameters=count.encoder,
        flops=counts.flops(proposal.architecture, job.spec.latency.num_tokens),
        layers=proposal.layers,
        earlier_phases=proposal.earlier_phases,
        continues=proposal.continues,
    )


def _admit(context: RunContext, numbers: Sequence[int]) -> None:
    """Apply the limits that need no training, cheapest first. A latency that is not to be believed rejects nothing."""
    limits = context.job.spec.limits
    for candidate in _open(context, numbers):
        context.check_lease()
        if limits.max_parameters is not None and candidate.num_parameters > limits.max_parameters:
            reason = f"{candidate.num_parameters:,} parameters > {limits.max_parameters:,}"
            context.store.reject_candidate(context.job.id, context.owner, candidate.id, reason)
    measure_latencies(context, _open(context, numbers))
    teacher = context.refreshed().job.teacher_latency
    for candidate in _open(context, numbers):
        context.check_lease()
        assert candidate.latency is not None and teacher is not None
        is_known = not (candidate.latency.is_flagged or teacher.is_flagged)
        if limits.max_latency_ms is not None and is_known and candidate.latency.p50_ms > limits.max_latency_ms:
            reason = f"{candidate.latency.p50_ms:.3f} ms > {limits.max_latency_ms:g} ms"
            context.store.reject_candidate(context.job.id, context.owner, candidate.id, reason)


def _candidates(context: RunContext, numbers: Sequence[int]) -> Iterator[Candidate]:
    """Candidates as they stand in the store now, a slice after the other."""
    for some in _slices(numbers):
        context.check_lease()
        yield from context.store.candidates(context.job.id, some)


def _open(context: RunContext, numbers: Sequence[int]) -> list[Candidate]:
    return [candidate for candidate in _candidates(context, numbers) if not candidate.status.is_terminal]


def data_spans(context: RunContext) -> tuple[DataSpan, ...]:
    """The search data that candidates are trained and judged on, those of the first steps first."""
    return tuple(
        DataSpan(folder=str(context.data_folder(part)), first_step=part.first_step)
        for part in search_data_parts(context.job)
    )


def evaluation_request(
    context: RunContext,
    request_id: str,
    candidate: Candidate,
    data: tuple[DataSpan, ...],
    files: CheckpointFiles | None,
) -> EvaluationRequest:
    """Have a candidate trained and judged."""
    search = context.job.spec.search
    first, *later = data
    return EvaluationRequest(
        id=request_id,
        folder=first.folder,
        teacher=context.job.teacher,
        architecture=candidate.architecture,
        hyperparameters=candidate.hyperparameters,
        num_steps=candidate.num_steps,
        initialization=search.initialization,
        inheritance=inheritance_of(context.job, candidate),
        calibration=str(context.calibration_folder) if needs_calibration(context.job.spec) else None,
        precision=search.precision,
        seed=search.seed,
        weight_clip=search.weight_clip,
        earlier_phases=candidate.earlier_phases,
        later_data=tuple(later),
        checkpoints=files,
    )


def _record(context: RunContext, event: RequestSucceeded | RequestFailed, trial: Trial, candidate: Candidate) -> bool:
    """Store how a trial ended. False if the candidate is to be tried again."""
    if isinstance(event, RequestFailed):
        return not record_failure(context, trial, event.failure)
    job, evaluation = context.job, event.result
    assert isinstance(evaluation, Evaluation) and candidate.latency is not None and job.teacher_quality is not None
    evaluation = with_divergence_stderr(evaluation, job.teacher_quality)
    measured = measures(candidate.num_parameters, candidate.latency, evaluation)
    scored = score(measured, teacher_measures(job), job.spec.score)
    limit = job.spec.limits.max_loss_nats
    is_beyond = limit is not None and evaluation.loss_nats > limit
    record_success(
        context, trial, evaluation, scored, f"{evaluation.loss_nats:.3f} nats > {limit:g}" if is_beyond else None
    )
    return True


def outcome_of(job: Job, candidate: Candidate) -> Outcome:
    """What a strategy is told of a candidate that has ended; the same whether or not another has taken its place."""
    known = Outcome(
        has_passed=candidate.evaluation is not None and candidate.rejection is None,
        num_parameters=candidate.num_parameters,
        latency_p50_ms=candidate.latency.p50_ms if candidate.latency else None,
    )
    evaluation = candidate.evaluation
    if evaluation is None or candidate.latency is None:
        return known
    return replace(
        known,
        loss_nats=evaluation.loss_nats,
        loss_stderr_nats=evaluation.loss_stderr_nats,
        score=candidate.score,
        judged=judged(candidate, scale_of(job)),
    )


def _told(candidate: Candidate) -> str:
    if candidate.failure is not None:
        return f"{candidate.label}: failed, {candidate.failure.message}"
    if candidate.evaluation is None or candidate.score is None or candidate.rejection:
        return f"{candidate.label}: {candidate.rejection}"
    return f"{candidate.label}: {candidate.evaluation.loss_nats:.3f} nats, score {candidate.score:.4f}"
