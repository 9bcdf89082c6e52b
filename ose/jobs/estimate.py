"""What a job will cost, at the pace of earlier ones, and what it cost.

Nothing is stored for it: what was known when the job was submitted can be read from the jobs that had ended by then,
so an estimate is the same before the job and after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import islice, product
from random import Random
from typing import Any

from ose.coordinator.cache_keys import (
    calibration_key,
    eliminates_layers,
    needs_calibration,
    num_calibration_sequences,
    protocol_key,
    search_data_parts,
)
from ose.core.architecture import Architecture
from ose.core.cost import (
    JobCost,
    Pace,
    StageTimes,
    Work,
    expected_times,
    item_tokens,
    pace_of,
    sequence_flops,
    training_flops,
)
from ose.core.job import Candidate, Job, JobStatus, TeacherFacts
from ose.core.measurement import LatencyMeasurement
from ose.core.spec import JobSpec
from ose.errors import UnreadableError
from ose.families.counts import FamilyCounts, counts_of
from ose.inputs.space_size import num_candidates
from ose.store.base import Store
from ose.strategies.halving import expected_rounds
from ose.strategies.random import RandomStrategy
from ose.tasks.registry import task_rules

_LISTED = 20_000
"""Candidates, and members that they are taken from, up to which all are counted: some tenths of a second."""

_DRAWN = 2_000
"""Of more than that, so many stand for all."""

_HISTORY = 10
"""Earlier jobs that are looked at; what only older ones have measured counts as work."""

_CALIBRATION_PASSES = 3
"""Forward passes over the sample that measuring a teacher's parts is worth: its losses are differentiated."""

_REFIT_PASSES = 4
"""Of the layers kept, for each subset that elimination tries, over a quarter of the sample: refitted, and judged."""


@dataclass(frozen=True, slots=True)
class _Past:
    """A job that had ended when another one was submitted."""

    job: Job
    candidates: Sequence[Candidate]


def job_cost(store: Store, job: Job) -> JobCost:
    """Count what a job has to do, and say how long that takes at the pace of the newest like it."""
    past = _past(store, job.created_at)
    work = count_work(job, past)
    pace = _pace(store, job, past)
    return JobCost(
        work=work,
        pace=pace,
        expected=expected_times(work, pace, job.spec.workers.count) if pace else None,
        taken=_taken(store, job, store.candidates(job.id)),
    )


def cost_json(cost: JobCost) -> dict[str, Any]:
    """A cost under its JSON names."""
    return {**asdict(cost), "error": cost.error}


def count_work(job: Job, past: Sequence[_Past]) -> Work:
    """What a job has to do that no earlier one did."""
    bound, counts = job.spec.limits.max_parameters, _counts(job)
    looked_at, weight = _planned(job)
    planned = [each for each in looked_at if bound is None or counts.parameters(each.shape).total <= bound]
    shapes = {each.shape for each in planned}
    num_trainings, share = _rounds(job, round(weight * len(planned)))
    flops = sum(training_flops(each.shape, counts, item_tokens(job), each.num_sequences) for each in planned)
    num_latencies = round(weight * len(shapes - _measured_shapes(job, past)))
    return Work(
        num_candidates=num_trainings,
        num_latencies=num_latencies + (not _teacher_is_measured(job, past)),
        teacher_flops=_teacher_flops(job, past),
        training_flops=round(share * weight * flops),
    )


@dataclass(frozen=True, slots=True)
class _Planned:
    """A candidate with the sequences that it would be trained on to the end."""

    shape: Architecture
    num_sequences: int


def _planned(job: Job) -> tuple[list[_Planned], float]:
    """What is to be trained, or some of it drawn evenly where it is much, and how many each of these stands for."""
    spec = job.spec
    if spec.extends is not None:
        return [
            _Planned(each.architecture, (spec.search.steps - each.phases[-1]) * each.hyperparameters.batch_size)
            for each in spec.extends.candidates
        ], 1.0
    total = num_candidates(spec, job.teacher)
    if max(total, spec.space.count(job.teacher.architecture.num_hidden_layers)) > _LISTED:
        return _drawn(spec, job.teacher.architecture.family), total / _DRAWN
    layers = job.teacher.architecture.num_hidden_layers
    members = spec.space.members(counts_of(job.teacher), layers, stride=spec.search.epsilon)
    if spec.search.num_candidates is not None:  # what a sampler will ask for is not known; it is taken for random
        drawn = RandomStrategy(members, spec.search, spec.space.count(layers)).ask()
        return [_Planned(each.architecture, each.num_steps * each.hyperparameters.batch_size) for each in drawn], 1.0
    return [
        _Planned(member.architecture, spec.search.steps * theta.batch_size)
        for member, theta in product(members, spec.search.hyperparameters)
    ], 1.0


def _drawn(spec: JobSpec, family: str) -> list[_Planned]:
    """Members of a space drawn evenly, without going through it."""
    space, draw = spec.space, Random(0)
    pairs = [(h, a) for h in space.hidden_size for a in space.num_attention_heads if h % a == 0]
    depths = [d for d in space.num_hidden_layers for _ in space.layer_choices(d, None)]

    def planned() -> _Planned:
        (h, a), d, i = draw.choice(pairs), draw.choice(depths), draw.choice(space.intermediate_size)
        shape = Architecture(
            num_hidden_layers=d, num_attention_heads=a, hidden_size=h, intermediate_size=i, family=family
        )
        return _Planned(shape, spec.search.steps * draw.choice(spec.search.hyperparameters).batch_size)

    return [planned() for _ in range(_DRAWN)]


def _rounds(job: Job, num_planned: int) -> tuple[int, float]:
    """Trainings in all rounds, and their share of training everything to the end, whichever candidates survive."""
    search = job.spec.search
    if job.spec.extends is not None or search.strategy != "halving" or not num_planned:
        return num_planned, 1.0
    rounds = expected_rounds(num_planned, search)
    steps = sum(count * each for count, each in rounds)
    return sum(count for count, _ in rounds), steps / (num_planned * search.steps)


def _counts(job: Job) -> FamilyCounts:
    return counts_of(job.teacher, task_rules(job.teacher.task).num_positions)


def _past(store: Store, before: datetime) -> list[_Past]:
    ended = (job for job in store.jobs(_HISTORY**2) if job.finished_at is not None and job.finished_at < before)
    return [past for job in islice(ended, _HISTORY) if (past := _readable(store, job)) is not None]


def _readable(store: Store, job: Job) -> _Past | None:
    """An earlier job, unless a row of its candidates cannot be read: that is no reason to tell nothing of others."""
    with suppress(UnreadableError):
        return _Past(job, store.candidates(job.id))
    return None


def _measured_shapes(job: Job, past: Sequence[_Past]) -> set[Architecture]:
    return {
        candidate.architecture
        for each in past
        for candidate in each.candidates
        if protocol_key(each.job.spec.latency) == protocol_key(job.spec.latency)
        and _shape_of(each.job.teacher) == _shape_of(job.teacher)
        and candidate.latency is not None
        and _serves_others(candidate.latency)
    }


def _teacher_is_measured(job: Job, past: Sequence[_Past]) -> bool:
    return any(
        protocol_key(each.job.spec.latency) == protocol_key(job.spec.latency)
        and each.job.teacher.digest == job.teacher.digest
        and each.job.teacher_latency is not None
        and _serves_others(each.job.teacher_latency)
        for each in past
    )


def _shape_of(teacher: TeacherFacts) -> tuple[object, ...]:
    """What decides a ratio to it."""
    return teacher.model_type, teacher.embedding, teacher.architecture


def _serves_others(latency: LatencyMeasurement) -> bool:
    return latency.ratio is not None and not latency.is_flagged


def _teacher_flops(job: Job, past: Sequence[_Past]) -> int:
    """The teacher's passes for targets and for its calibration, as far as no earlier job has left them behind."""
    prepared = [each.job for each in past if each.job.teacher_quality is not None]
    known = {part.key for each in prepared for part in search_data_parts(each)}
    missing = (part for part in search_data_parts(job) if part.key not in known)
    asked = sum(part.num_sequences + part.held_out_sequences for part in missing)
    sample = 0.0
    if needs_calibration(job.spec):
        alike = [each for each in prepared if calibration_key(each) == calibration_key(job)]
        sample = _calibration_sequences(job, alike)
    teacher, counts, length = job.teacher.architecture, _counts(job), job.spec.corpus.sequence_length
    item, sequence = (sequence_flops(teacher, counts, each) for each in (item_tokens(job), length))
    return round(asked * item + sample * sequence)


def _calibration_sequences(job: Job, prepared: Sequence[Job]) -> float:
    """Sequences that the teacher would run over in the time that its calibration takes, by a rough count."""
    sample = num_calibration_sequences(job.spec)
    layers = job.teacher.architecture.num_hidden_layers
    passes = 0.0 if any(needs_calibration(each.spec) for each in prepared) else float(_CALIBRATION_PASSES)
    if eliminates_layers(job) and not any(eliminates_layers(each) for each in prepared):
        tried = sum((kept + 1) * kept / layers for kept in range(1, layers))
        passes += tried * _REFIT_PASSES / 4
    return passes * sample


def _pace(store: Store, job: Job, past: Sequence[_Past]) -> Pace | None:
    """Of the newest job on such workers, if there is one of the same teacher's."""
    alike = [each for each in past if each.job.status is JobStatus.SUCCEEDED and _kind(each.job) == _kind(job)]
    for each in sorted(alike, key=lambda each: each.job.teacher.digest != job.teacher.digest):
        taken = _taken(store, each.job, each.candidates)
        if taken is not None:
            work = count_work(each.job, _past(store, each.job.created_at))
            return pace_of(each.job, _counts(each.job), each.candidates, work, taken.preparing_s)
    return None


def _kind(job: Job) -> tuple[object, ...]:
    workers = job.spec.workers
    return workers.cpus, workers.gpus, workers.uses_ray, job.spec.search.precision, job.spec.latency.device


def _taken(store: Store, job: Job, candidates: Sequence[Candidate]) -> StageTimes | None:
    trained = next((each for each in candidates if each.evaluation is not None), None)
    if job.started_at is None or job.finished_at is None or trained is None:
        return None
    first = next(iter(store.trials(job.id, trained.number)), None)
    if first is None:  # the job was deleted between two looks
        return None
    return StageTimes(
        preparing_s=(first.started_at - job.started_at).total_seconds(),
        training_s=(job.finished_at - first.started_at).total_seconds(),
    )
