"""What a search costs: its operations counted, and its time at the pace of an earlier search.

Operations are those of matrix products, as the students' family counts them. How long they take is never guessed: it
is what an earlier search on the same kind of workers took for its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ose.core.architecture import Architecture, Counts
from ose.core.job import Candidate, Job

LATENCY_S = 1.0
"""Of one shape: warming up, its turns, and its building. Only large models and noise take longer."""

_TRAINING = 3
"""Of the forward pass: the backward one multiplies twice as much, for the gradients of inputs and of weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a search has to do, counted.

    Attributes:
        num_candidates: Candidates to train; those that a measurement may yet reject count.
        num_latencies: Shapes to measure.
        teacher_flops: Of the teacher's passes before any training.
        training_flops: Of all training steps.
    """

    num_candidates: int
    num_latencies: int
    teacher_flops: int
    training_flops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast an earlier search was.

    Attributes:
        job_id: Which one.
        flops_per_s: Of one worker, while it trained.
        other_s: Of a worker for each candidate, beside its training steps: building, extracting, judging.
        starting_s: Of the job, before its first candidate, beside what is counted: processes, packing.
    """

    job_id: str
    flops_per_s: float
    other_s: float
    starting_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTimes:
    """Seconds of a job's stages.

    Attributes:
        preparing_s: Up to the first candidate: processes, data, the teacher's targets, latencies.
        training_s: From the first candidate to the end.
    """

    preparing_s: float
    training_s: float

    @property
    def total_s(self) -> float:
        """From the job's start to its end."""
        return self.preparing_s + self.training_s


@dataclass(frozen=True, slots=True, kw_only=True)
class JobCost:
    """What a job was expected to cost, and what it cost.

    Attributes:
        work: Counted.
        pace: The earlier search's; None if there was none on such workers.
        expected: At that pace.
        taken: Of a job that has ended; pauses of one that was interrupted count.
    """

    work: Work
    pace: Pace | None = None
    expected: StageTimes | None = None
    taken: StageTimes | None = None

    @property
    def error(self) -> float | None:
        """Time taken over time expected, minus one."""
        if self.expected is None or self.taken is None:
            return None
        return self.taken.total_s / self.expected.total_s - 1


def item_tokens(job: Job) -> int:
    """Tokens of an item that is trained on: of a packed sequence all, of a row the mean."""
    items = job.corpus.items
    mean = items.mean_tokens if items else None
    return job.spec.corpus.sequence_length if mean is None else max(1, round(mean))


def sequence_flops(architecture: Architecture, counts: Counts, sequence_length: int) -> int:
    """Operations of one item's forward pass, with the head where it is run."""
    head = counts.head_flops(architecture, counts.num_positions(sequence_length))
    return counts.flops(architecture, sequence_length) + head


def training_flops(architecture: Architecture, counts: Counts, sequence_length: int, num_sequences: int) -> int:
    """Operations of training a student on so many sequences, whatever the steps they come in."""
    return _TRAINING * num_sequences * sequence_flops(architecture, counts, sequence_length)


def expected_times(work: Work, pace: Pace, num_workers: int) -> StageTimes:
    """How long a search takes if it goes as the earlier one did.

    The workers share the teacher's passes and the candidates; latencies are measured one after the other.
    """
    teacher_s = work.teacher_flops / pace.flops_per_s / num_workers
    busy_s = work.training_flops / pace.flops_per_s + work.num_candidates * pace.other_s
    return StageTimes(
        preparing_s=pace.starting_s + teacher_s + work.num_latencies * LATENCY_S,
        training_s=busy_s / num_workers,
    )


def pace_of(job: Job, counts: Counts, candidates: Sequence[Candidate], work: Work, preparing_s: float) -> Pace | None:
    """The pace of a job that has ended; None if it trained nothing.

    Args:
        job: The job.
        counts: Of its students.
        candidates: Its candidates.
        work: What it had to do.
        preparing_s: What it took up to its first candidate.
    """
    trained = [(each, each.evaluation) for each in candidates if each.evaluation is not None]
    if not trained:
        return None
    flops = sum(candidate_flops(job, counts, candidate) for candidate, _ in trained)
    steps_s = sum(evaluation.training_time_s for _, evaluation in trained)
    whole_s = sum(evaluation.wall_time_s for _, evaluation in trained)
    other_s = (whole_s - steps_s) / len(trained)
    unhurried = Pace(job_id=job.id, flops_per_s=flops / steps_s, other_s=other_s, starting_s=0.0)
    counted_s = expected_times(work, unhurried, job.spec.workers.count).preparing_s
    return replace(unhurried, starting_s=max(0.0, preparing_s - counted_s))


def remaining_s(job: Job, counts: Counts, ended: Sequence[Candidate], left: Sequence[Candidate]) -> float | None:
    """How long the rest takes if it goes as what has ended, by operations: later candidates are larger.

    None if nothing was trained yet.
    """
    nothing = Work(num_candidates=0, num_latencies=0, teacher_flops=0, training_flops=0)
    pace = pace_of(job, counts, ended, nothing, preparing_s=0.0)
    if pace is None:
        return None
    flops = sum(candidate_flops(job, counts, candidate) for candidate in left)
    work = replace(nothing, num_candidates=len(left), training_flops=flops)
    return expected_times(work, pace, job.spec.workers.count).training_s


def candidate_flops(job: Job, counts: Counts, candidate: Candidate) -> int:
    """Operations of training one candidate of a job, from the checkpoint that it went on from or is to go on from."""
    evaluation, earlier = candidate.evaluation, candidate.earlier_phases
    done = evaluation.first_step if evaluation else earlier[-1] if earlier else 0
    num_sequences = (candidate.num_steps - done) * candidate.hyperparameters.batch_size
    return training_flops(candidate.architecture, counts, item_tokens(job), num_sequences)
