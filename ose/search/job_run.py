"""The stages of one job: data, the teacher's targets, latencies, candidates.

Each stage asks the store and the artifact folder what is there already, so running a job again after a
crash is the same code as running it the first time.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from ose.core.architecture import Architecture, count_flops, count_parameters
from ose.core.job import Candidate, CandidateStatus, Job
from ose.core.measurement import Evaluation, LatencyMeasurement, TeacherQuality
from ose.core.score import Measures, score
from ose.core.task import (
    DataSummary,
    DataTask,
    EvaluateTask,
    LatencyTask,
    TargetsTask,
    Task,
    TaskFailed,
    TaskResult,
    TaskSucceeded,
)
from ose.errors import EvaluationError, OseError
from ose.search.backend import Backend, LatencyProbe
from ose.search.progress import Progress
from ose.search.strategy import Outcome, Proposal, Strategy, build_strategy
from ose.store.base import NewCandidate, Store, StoredLatency

_POLL_S = 1.0
_SHARD_SEQUENCES = 128
"""Sequences of one targets task: some seconds of teacher time, so that workers share the pass evenly."""
_PREFETCH = 2
"""Tasks in flight for each worker: the next one waits there already when the last one ends."""


class JobInterruptedError(OseError):
    """The job was cancelled, or another coordinator took it over."""

    code = "interrupted"


class StageFailedError(OseError):
    """A stage that every candidate depends on failed on a worker."""

    code = "stage_failed"


class JobRun:
    """One job on one backend, until every candidate has ended."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        artifacts: Path,
        progress: Progress,
        now: Callable[[], datetime],
        is_lost: Callable[[], bool],
        job: Job,
    ) -> None:
        self._store = store
        self._backend = backend
        self._progress = progress
        self._now = now
        self._is_lost = is_lost
        self._job = job
        self._folder = artifacts / "search-data" / search_data_key(job)

    def run(self) -> None:
        """Go through all stages.

        Raises:
            JobInterruptedError: The job is no longer ours.
            StageFailedError: The data or the teacher's targets could not be made.
        """
        self._prepare_data()
        self._measure_teacher()
        strategy = build_strategy(self._job.spec, self._job.teacher)
        while proposals := strategy.ask():
            self._run_wave(strategy, proposals)

    # Data and targets

    def _prepare_data(self) -> None:
        spec, teacher = self._job.spec, self._job.teacher
        wanted = max(spec.search.steps * theta.batch_size for theta in spec.search.hyperparameters)
        task = DataTask(
            id=_new_id(),
            folder=str(self._folder),
            teacher=teacher,
            corpus=self._job.corpus,
            corpus_spec=spec.corpus,
            num_sequences=wanted,
            held_out_sequences=spec.search.held_out_sequences,
            seed=spec.search.seed,
        )
        self._progress.stage("Packing the corpus", 1)
        [summary] = self._run_stage([task])
        assert isinstance(summary, DataSummary)
        self._progress.stage("Asking the teacher", 1 + -(-summary.num_sequences // _SHARD_SEQUENCES))
        results = self._run_stage(self._targets_tasks(summary))
        quality = next(result for result in results if isinstance(result, TeacherQuality))
        self._store.record_teacher(self._job.id, quality=quality)

    def _targets_tasks(self, summary: DataSummary) -> list[Task]:
        firsts = range(0, summary.num_sequences, _SHARD_SEQUENCES)
        shards: list[tuple[int | None, int, int]] = [(None, 0, summary.held_out_sequences)]
        shards += [(i, f, min(f + _SHARD_SEQUENCES, summary.num_sequences)) for i, f in enumerate(firsts)]
        return [
            TargetsTask(
                id=_new_id(),
                folder=str(self._folder),
                teacher=self._job.teacher,
                shard=shard,
                first=first,
                last=last,
                seed=self._job.spec.search.seed,
            )
            for shard, first, last in shards
        ]

    def _run_stage(self, tasks: Sequence[Task]) -> list[TaskResult]:
        """Run tasks that must all succeed; a lost worker's task is given out once more."""
        results: list[TaskResult] = []
        open_tasks = {task.id: task for task in tasks}
        retried: set[str] = set()
        for task in tasks:
            self._backend.submit(task)
        while open_tasks:
            event = self._next_event()
            if isinstance(event, TaskSucceeded):
                del open_tasks[event.task_id]
                results.append(event.result)
                self._progress.advance()
            elif event.failure.is_retryable and event.task_id not in retried:
                retried.add(event.task_id)
                self._backend.submit(open_tasks[event.task_id])
            else:
                raise StageFailedError(f"{event.failure.message} [{event.failure.code}]\n{event.failure.traceback}")
        return results

    # Latencies

    def _measure_teacher(self) -> None:
        self._progress.stage("Measuring the teacher's latency", 1)
        with self._backend.latency_probe(self._job.spec.latency) as probe:
            stored = self._latency_of(probe, self._job.teacher.architecture, is_teacher=True)
        self._store.record_teacher(self._job.id, latency_id=stored.id)
        self._progress.advance()
        self._job = self._store.job(self._job.id)

    def _measure_latencies(self, candidates: Iterable[Candidate]) -> None:
        by_architecture: dict[Architecture, list[int]] = {}
        for candidate in candidates:
            if candidate.latency is None:
                by_architecture.setdefault(candidate.architecture, []).append(candidate.id)
        if not by_architecture:
            return
        self._progress.stage("Measuring latencies", len(by_architecture))
        with self._backend.latency_probe(self._job.spec.latency) as probe:
            for architecture, candidate_ids in by_architecture.items():
                self._check_lease()
                stored = self._latency_of(probe, architecture, is_teacher=False)
                self._store.attach_latency(candidate_ids, stored.id)
                flag = " (noisy)" if stored.measurement.is_flagged else ""
                self._progress.advance(note=f"{architecture}: {stored.measurement.p50_ms:.2f} ms{flag}")

    def _latency_of(self, probe: LatencyProbe, architecture: Architecture, *, is_teacher: bool) -> StoredLatency:
        """A stored measurement of this shape, device and protocol, or a new one if there is none to trust."""
        task = LatencyTask(
            teacher=self._job.teacher,
            architecture=architecture,
            protocol=self._job.spec.latency,
            is_teacher=is_teacher,
        )
        keys = (shape_key(task), _digest(asdict(task.protocol)), _digest(asdict(probe.fingerprint())))
        known = self._store.latency(*keys)
        if known is not None and not known.measurement.is_flagged:
            return known
        return self._store.add_latency(*keys, probe.measure(task), self._now())

    # Candidates

    def _run_wave(self, strategy: Strategy, proposals: Sequence[Proposal]) -> None:
        candidates = self._store.add_candidates(self._job.id, [self._new_candidate(p) for p in proposals])
        waiting = self._admit(candidates)
        self._progress.stage("Training candidates", len(candidates))
        for candidate in self._candidates(candidates):
            if candidate.status.is_terminal:
                self._progress.advance()
                strategy.tell(candidate.number, _outcome(candidate))
        self._train(strategy, waiting)

    def _new_candidate(self, proposal: Proposal) -> NewCandidate:
        count = count_parameters(proposal.architecture, self._job.teacher.embedding)
        return NewCandidate(
            number=proposal.number,
            architecture=proposal.architecture,
            hyperparameters=proposal.hyperparameters,
            num_steps=proposal.num_steps,
            num_parameters=count.total,
            num_encoder_parameters=count.encoder,
            flops=count_flops(proposal.architecture, self._job.spec.latency.sequence_length),
        )

    def _admit(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Apply the limits that need no training, cheapest first; return who is left to train."""
        limits = self._job.spec.limits
        for candidate in candidates:
            if limits.max_parameters is not None and candidate.num_parameters > limits.max_parameters:
                self._reject(candidate, f"{candidate.num_parameters:,} parameters > {limits.max_parameters:,}")
        self._measure_latencies(self._open(candidates))
        for candidate in self._open(candidates):
            assert candidate.latency is not None
            if limits.max_latency_ms is not None and candidate.latency.p50_ms > limits.max_latency_ms:
                self._reject(candidate, f"{candidate.latency.p50_ms:.3f} ms > {limits.max_latency_ms:g} ms")
        return self._open(candidates)

    def _reject(self, candidate: Candidate, reason: str) -> None:
        if not candidate.status.is_terminal:
            self._store.reject_candidate(candidate.id, reason)

    def _train(self, strategy: Strategy, candidates: Sequence[Candidate]) -> None:
        waiting = deque(candidates)
        running: dict[str, Candidate] = {}
        while waiting or running:
            while waiting and len(running) < _PREFETCH * self._backend.capacity:
                candidate = waiting.popleft()
                running[self._dispatch(candidate)] = candidate
            event = self._next_event()
            candidate = running.pop(event.task_id)
            if self._record(event, candidate):
                ended = self._store.candidate(self._job.id, candidate.number)
                self._progress.advance(note=_told(ended))
                strategy.tell(ended.number, _outcome(ended))
            else:
                waiting.append(self._store.candidate(self._job.id, candidate.number))

    def _dispatch(self, candidate: Candidate) -> str:
        trial = self._store.open_trial(candidate.id, _new_id(), self._backend.name, self._now())
        search = self._job.spec.search
        self._backend.submit(
            EvaluateTask(
                id=trial.id,
                folder=str(self._folder),
                teacher=self._job.teacher,
                architecture=candidate.architecture,
                hyperparameters=candidate.hyperparameters,
                num_steps=candidate.num_steps,
                initialization=search.initialization,
                seed=search.seed,
                weight_clip=search.weight_clip,
            )
        )
        return trial.id

    def _record(self, event: TaskSucceeded | TaskFailed, candidate: Candidate) -> bool:
        """Store how a trial ended. False if the candidate is to be tried again."""
        if isinstance(event, TaskFailed):
            attempts_left = candidate.num_attempts + 1 < self._job.spec.search.max_attempts
            is_final = not (event.failure.is_retryable and attempts_left)
            self._store.record_failure(event.task_id, event.failure, self._now(), is_final=is_final)
            return is_final
        evaluation = event.result
        assert isinstance(evaluation, Evaluation) and candidate.latency is not None
        scored = score(
            measures(candidate.num_parameters, candidate.latency, evaluation),
            teacher_measures(self._job),
            self._job.spec.score,
        )
        limit = self._job.spec.limits.max_loss_nats
        rejection = f"{evaluation.loss_nats:.3f} nats > {limit:g}" if limit and evaluation.loss_nats > limit else None
        self._store.record_success(event.task_id, evaluation, scored, self._now(), rejection)
        return True

    def _candidates(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """The same candidates as they stand in the store now."""
        numbers = {candidate.number for candidate in candidates}
        return [candidate for candidate in self._store.candidates(self._job.id) if candidate.number in numbers]

    def _open(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [candidate for candidate in self._candidates(candidates) if not candidate.status.is_terminal]

    def _next_event(self) -> TaskSucceeded | TaskFailed:
        while True:
            self._check_lease()
            event = self._backend.next_event(_POLL_S)
            if event is not None:
                return event

    def _check_lease(self) -> None:
        if self._is_lost():
            raise JobInterruptedError(f"job {self._job.id} was cancelled or taken over")


def measures(num_parameters: int, latency: LatencyMeasurement, evaluation: Evaluation) -> Measures:
    """A candidate's objectives, as the score takes them."""
    return Measures(
        num_parameters=num_parameters,
        latency_ms=latency.p50_ms,
        latency_stderr_ms=latency.p50_stderr_ms,
        loss_nats=evaluation.loss_nats,
        loss_stderr_nats=evaluation.loss_stderr_nats,
    )


def teacher_measures(job: Job) -> Measures:
    """The maximum point T. Its loss is its own entropy.

    Raises:
        EvaluationError: The teacher has not been measured yet.
    """
    if job.teacher_latency is None or job.teacher_quality is None:
        raise EvaluationError(f"the teacher of job {job.id} has not been measured yet")
    return Measures(
        num_parameters=job.teacher.num_parameters,
        latency_ms=job.teacher_latency.p50_ms,
        loss_nats=job.teacher_quality.entropy_nats,
    )


def search_data_key(job: Job) -> str:
    """Names a job's search data by everything that decides it, so that equal jobs share it."""
    spec = job.spec
    wanted = max(spec.search.steps * theta.batch_size for theta in spec.search.hyperparameters)
    return _digest(
        {
            "teacher": job.teacher.digest,
            "corpus": job.corpus.digest,
            "text": [spec.corpus.sequence_length, spec.corpus.text_field, spec.corpus.max_tokens],
            "num_sequences": wanted,
            "held_out_sequences": spec.search.held_out_sequences,
            "seed": spec.search.seed,
        }
    )


def shape_key(task: LatencyTask) -> str:
    """Names what latency depends on: the shape alone for students, the very model for a teacher."""
    if task.is_teacher:
        return f"teacher:{task.teacher.digest[:24]}"
    embedding = task.teacher.embedding
    tables = f"{embedding.vocab_size}:{embedding.max_position_embeddings}:{embedding.type_vocab_size}"
    return f"{task.teacher.model_type}:{tables}:{task.architecture}"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:24]


def _new_id() -> str:
    return uuid.uuid4().hex


def _outcome(candidate: Candidate) -> Outcome:
    if candidate.status is not CandidateStatus.SUCCEEDED or candidate.evaluation is None:
        return Outcome()
    return Outcome(
        score=candidate.score,
        loss_nats=candidate.evaluation.loss_nats,
        latency_p50_ms=candidate.latency.p50_ms if candidate.latency else None,
    )


def _told(candidate: Candidate) -> str:
    if candidate.failure is not None:
        return f"{candidate.architecture}: failed, {candidate.failure.message}"
    if candidate.evaluation is None or candidate.score is None:
        return f"{candidate.architecture}: {candidate.rejection}"
    return f"{candidate.architecture}: {candidate.evaluation.loss_nats:.3f} nats, W {candidate.score:.4f}"
